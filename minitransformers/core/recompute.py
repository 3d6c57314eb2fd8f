"""Gradient checkpointing (Chen et al., 2016): of each block of layers keep what goes in, and run it
again when its gradient is asked for."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .module import Module
from .primitive import Tensor, backward, parts_of, value_of
from .random import default_generator
from .state import State


@contextlib.contextmanager
def recomputing(module: Module) -> Iterator[None]:
    """Inside, blocks below modules marked `gradient_checkpointing` keep no residuals.

    A block is an element of an outermost list of Modules: a layer of a stack.
    """
    lists = list(_stacks(module, False))
    for blocks in lists:
        blocks[:] = [_Recomputed(block) for block in blocks]
    try:
        yield
    finally:
        for blocks in lists:
            blocks[:] = [block.block for block in blocks]


def is_marked(module: Module) -> bool:
    """Whether anything below is marked."""
    return any(getattr(m, "gradient_checkpointing", False) for m in module.modules())


def _stacks(module: Module, marked: bool) -> Iterator[list]:
    marked = marked or getattr(module, "gradient_checkpointing", False)
    for value in vars(module).values():
        if isinstance(value, list) and value and isinstance(value[0], Module):
            if marked:
                yield value
            else:
                for block in value:
                    yield from _stacks(block, marked)
        elif isinstance(value, Module):
            yield from _stacks(value, marked)


class _Recomputed:
    """Stands in the place of a block while a call is recorded; its attributes are the block's."""

    def __init__(self, block: Module):
        self.block = block

    def __getattr__(self, name: str) -> Any:
        return getattr(self.block, name)

    def __call__(self, *args: Any) -> Any:
        """Run the block without recording, as one operation."""
        weights = [
            (owner, attribute, getattr(owner, attribute))
            for _, owner, attribute in self.block.slots()
            if type(getattr(owner, attribute)) is Tensor
        ]
        called, args = args, _mapped(args, lambda x: x, _is_tensor)  # the State changes later
        inputs = [*_found(args, _is_tensor), *(weight for _, _, weight in weights)]
        random = default_generator.get_state()

        def run(values: list) -> tuple[Any, dict[str, Any]]:
            """-> the block's result of these values of `inputs`, and what it left in the state"""
            remaining = iter(values)
            given = _mapped(args, lambda _: next(remaining), _is_tensor)
            with _placed(weights, remaining):
                return _with_effects(self.block, given)

        def vjp(gradients: tuple) -> list[Any]:
            leaves = [Tensor(x.value) for x in inputs]
            now = default_generator.get_state()
            default_generator.set_state(random)  # the same dropout
            results = _found(run(leaves), _is_floating)
            default_generator.set_state(now)
            whole = Tensor(tuple(map(value_of, results)), tuple(results), lambda g: g)
            found = backward(whole, gradients)
            return [found.get(id(leaf)) for leaf in leaves]

        produced = run([x.value for x in inputs])
        node = Tensor(tuple(_found(produced, _is_floating)), tuple(inputs), vjp)
        parts = iter(parts_of(node))
        out, effects = _mapped(produced, lambda _: next(parts), _is_floating)
        _apply(effects, called)
        return out


@contextlib.contextmanager
def _placed(slots: list[tuple], values: Iterator[Any]) -> Iterator[None]:
    """Put other values where weights are kept, and back what was there."""
    before = [getattr(owner, attribute) for owner, attribute, _ in slots]
    for owner, attribute, _ in slots:
        setattr(owner, attribute, next(values))
    try:
        yield
    finally:
        for (owner, attribute, _), value in zip(slots, before):
            setattr(owner, attribute, value)


def _with_effects(block: Module, args: tuple) -> tuple[Any, dict[str, Any]]:
    """Call a block. -> its result, and what it changed in the State or appended to it, by name"""
    state = next((x for x in args if isinstance(x, State)), None)
    before = dict(vars(state)) if state is not None else {}
    out = block(*args)
    after = vars(state) if state is not None else {}
    return out, {
        name: value
        for name, value in after.items()
        if (bool(value) if isinstance(value, list) else value is not before.get(name))
    }


def _apply(effects: dict[str, Any], args: tuple) -> None:
    state = next((x for x in args if isinstance(x, State)), None)
    for name, value in effects.items():
        if isinstance(value, list):
            getattr(state, name).extend(value)
        else:
            setattr(state, name, value)


def _is_tensor(x: Any) -> bool:
    return type(x) is Tensor


def _is_floating(x: Any) -> bool:
    return isinstance(x, (np.ndarray, Tensor)) and x.dtype.kind == "f"


def _mapped(x: Any, replace: Callable[[Any], Any], chosen: Callable[[Any], bool]) -> Any:
    """A copy of nested tuples, lists and dictionaries, and of a State, with others in the place of
    what is chosen. Lists of a State, to which a block appends, are empty in the copy."""
    if chosen(x):
        return replace(x)
    if isinstance(x, (tuple, list)):
        return type(x)(_mapped(y, replace, chosen) for y in x)
    if isinstance(x, dict):
        return {name: _mapped(y, replace, chosen) for name, y in x.items()}
    if isinstance(x, State):
        other = copy.copy(x)
        for name, y in vars(x).items():
            setattr(other, name, [] if isinstance(y, list) else _mapped(y, replace, chosen))
        return other
    return x


def _found(x: Any, chosen: Callable[[Any], bool]) -> list[Any]:
    """What `_mapped` would replace, in its order."""
    found: list[Any] = []
    _mapped(x, found.append, chosen)
    return found
