"""Gradients of a model by its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.module import Module
from ..core.parameter import Parameter
from ..core.primitive import Tensor, backward
from ..core.recording import enable_grad, is_grad_enabled, no_grad, recording, set_grad_enabled

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "recording",
    "set_grad_enabled",
    "value_and_grad",
]


def value_and_grad(
    model: Module, loss_fn: Callable[..., Any] | None = None
) -> Callable[..., tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Make a function that computes a loss and its gradient by every trained parameter.

    loss_fn: computes the loss from its arguments by calling `model`, a single number;
        `model(...).loss` by default
    -> a function of loss_fn's arguments -> (value, {name: gradient}); parameters that the loss does
    not depend on are left out. The model's mode only decides about dropout; `Parameter.grad` is
    not touched. Raises TypeError if the loss depends on no trained parameter.
    """
    compute = loss_fn or (lambda *args, **kwargs: model(*args, **kwargs).loss)

    def value_and_gradients(*args: Any, **kwargs: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        with recording(model, accumulate=False) as leaves:
            loss = compute(*args, **kwargs)
        if type(loss) is not Tensor:
            raise TypeError(
                f"the loss is a {type(loss).__name__} that depends on no trained parameter: are "
                "labels given, and is any parameter's requires_grad True?"
            )
        grads = backward(loss)
        names = {id(leaf): p.name for p, leaf in leaves.items()}
        named = {names[key]: g for key, g in grads.items() if key in names}
        return loss.value, {name: named[name] for name in names.values() if name in named}

    return value_and_gradients


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> np.float32:
    """Scale gradients, in place, so that their common norm is at most `max_norm`.

    norm_type: 2.0, another power, or math.inf for the largest element
    -> the norm before. Raises RuntimeError for a norm that is not finite if error_if_nonfinite
    """
    grads = _grads(parameters)
    if not grads:
        return np.float32(0.0)
    norms = np.array([_norm(g, norm_type) for g in grads], np.float32)
    total = np.float32(_norm(norms, norm_type))
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"the total norm of order {norm_type} of the gradients is {total}, so they cannot be "
            "clipped: lower the learning rate, or pass error_if_nonfinite=False to go on"
        )
    factor = np.float32(max_norm) / (total + np.float32(1e-6))
    if not factor >= 1.0:  # also of a norm that is no number
        for g in grads:
            g *= factor
    return total


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Limit every element of the gradients, in place, to [-clip_value, clip_value]."""
    for g in _grads(parameters):
        np.clip(g, -clip_value, clip_value, out=g)


def _grads(parameters: Parameter | Iterable[Parameter]) -> list[np.ndarray]:
    found = [parameters] if isinstance(parameters, Parameter) else parameters
    return [p.grad for p in found if p.grad is not None]


def _norm(x: np.ndarray, order: float) -> float:
    flat = x.reshape(-1)
    if order == 2.0:
        return math.sqrt(np.dot(flat, flat))
    if order == math.inf:
        return float(np.abs(flat).max(initial=0.0))
    return float((np.abs(flat) ** order).sum() ** (1.0 / order))
