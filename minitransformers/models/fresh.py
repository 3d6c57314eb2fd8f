"""Fresh weights: after the same seed, the reference's.

A model made by its class has some; one that is loaded waits for its file's. torch draws twice: each
layer gets numbers when it is made, and others when the model around it is complete, or a part of it
that is a model of its own. Here the first are skipped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..core.module import Module, is_placeholder
from ..core.random import default_generator

_waiting = ContextVar("waiting", default=False)


@contextlib.contextmanager
def awaiting_weights() -> Iterator[None]:
    """Leave the weights of models made inside placeholders, which take no memory and no time."""
    before = _waiting.set(True)
    try:
        yield
    finally:
        _waiting.reset(before)


class Fresh(type):
    """The class of model classes: calling one makes a whole model, then draws what is not set."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        drawn_with_the_whole = _waiting.get()
        with awaiting_weights():  # parts that are models too are drawn with the whole
            model = super().__call__(*args, **kwargs)
        if model.base_model is model and model.config.pruned_heads:
            model.leave_out(model.config.pruned_heads)
        if not drawn_with_the_whole:
            _make(model, model, "")
        return model


def _make(model: Any, module: Module, prefix: str) -> None:
    """Draw what torch does while it makes a part of a model. prefix: of the part's names"""
    whole = isinstance(type(module), Fresh)
    if whole and not model.shares_layers:
        model, prefix = module, ""
    for name, child in module.named_children():
        _make(model, child, f"{prefix}{name}.")
    slots = list(module.slots(prefix))
    unset = [name for name, owner, attribute in slots if is_placeholder(getattr(owner, attribute))]
    another = model.shares_layers and f"{prefix}weight" in model.always_tied
    if hasattr(module, "made") and (unset or not slots) and not another:
        module.made(default_generator)
    if whole or module.drawn_at_once:
        _draw(model, unset)
    if module is model:
        model.tie_weights()


def initialise(model: Any, names: Iterable[str]) -> None:
    """Draw these parameters of a PreTrainedModel afresh, as the architecture prescribes."""
    _draw(model, names)
    model.tie_weights()


def _draw(model: Any, names: Iterable[str]) -> None:
    slots = {name: (owner, attribute) for name, owner, attribute in model.slots()}
    wanted = set(names)
    shared = model.always_tied if model.shares_layers else {}
    for name in _order(model, slots, shared) if wanted else ():
        if name not in wanted:
            continue
        owner, attribute = slots[name]
        array = _initial(model, owner, attribute, name)
        setattr(owner, attribute, array)
        origin = shared.get(name, name)
        for alias in (origin, *shared):
            if alias in slots and alias != name and shared.get(alias, alias) == origin:
                setattr(*slots[alias], array if alias in model.ties() else array.copy())
                wanted.discard(alias)


def _order(model: Any, slots: dict[str, tuple], shared: dict[str, str]) -> Iterator[str]:
    """Names of parameters in the order in which the reference draws them: children first."""
    names = {(id(owner), attribute): name for name, (owner, attribute) in slots.items()}
    last: dict[str, list[str]] = {layer: [] for layer in model.drawn_last}
    for module in model.modules():
        own = [
            (module, attribute) for attribute in dict.fromkeys(("weight", "bias", *vars(module)))
        ]
        again = [
            (child, "weight") for name, child in module.named_children() if name in model.redraws
        ]
        for owner, attribute in own + again:
            name = names.get((id(owner), attribute))
            if name is not None:
                layer = f".{shared.get(name, name)}".split(".")[-2]
                if layer not in last:
                    yield name
                elif name not in model.ties():
                    last[layer].append(name)
    for layer in last.values():
        yield from layer


def _initial(model: Any, module: Module, attribute: str, name: str) -> np.ndarray:
    if hasattr(module, "initial"):
        return module.initial(attribute, model.initial_std(name), default_generator)
    return np.zeros(getattr(module, attribute).shape, np.float32)
