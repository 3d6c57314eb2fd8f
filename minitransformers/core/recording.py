"""When operations are recorded for `backward`, and of which arrays.

A model's parameters are plain arrays; while a call is recorded, Tensors stand in their place. A
model in training records its calls. One in evaluation, as every model is that was just loaded,
records those that compute a loss while an optimiser holds its parameters, and no others. `no_grad`
and `enable_grad` overrule that. One model is trained by one thread at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from .module import Module
from .parameter import Parameter, is_optimised
from .primitive import Tensor

# True: calls are recorded; False: not; None: it depends on the model
_mode: ContextVar[bool | None] = ContextVar("mode", default=None)


@contextlib.contextmanager
def set_grad_enabled(mode: bool | None) -> Iterator[None]:
    """Inside, record calls (True), do not (False), or go by the model (None)."""
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


def no_grad() -> Any:
    """A context, or decorator, in which no call is recorded, not even of a model in training."""
    return set_grad_enabled(False)


def enable_grad() -> Any:
    """A context, or decorator, in which calls are recorded even of a model in evaluation."""
    return set_grad_enabled(True)


def is_grad_enabled() -> bool:
    """Whether a call of a model in training is recorded here."""
    return _mode.get() is not False


def records(module: Module, for_loss: bool = False) -> bool:
    """Whether a call of this module is to be recorded now. for_loss: whether it computes a loss"""
    mode = _mode.get()
    if mode is not None:
        return mode
    return module.training or (for_loss and is_optimised(module))


@contextlib.contextmanager
def recording(module: Module, accumulate: bool = True) -> Iterator[dict[Parameter, Tensor]]:
    """Put Tensors in the place of a module's trained parameters, and the arrays back at the end.

    accumulate: whether `backward` adds to each `Parameter.grad` instead of returning gradients
    -> {parameter: its Tensor}, without those that are frozen or already being recorded
    """
    leaves = {
        p: Tensor(p.data, vjp=p.accumulate if accumulate else None)
        for p in module.parameters()
        if p.requires_grad and p.dtype.kind == "f" and type(_held(p)) is not Tensor
    }
    arrays = {p: p.data for p in leaves}
    for p, leaf in leaves.items():
        p.data = leaf  # type: ignore[assignment]
    try:
        yield leaves
    finally:
        for p, array in arrays.items():
            p.data = array


def _held(p: Parameter) -> Any:
    owner, attribute = p.places[0]
    return getattr(owner, attribute)
