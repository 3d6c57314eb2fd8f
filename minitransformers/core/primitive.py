"""Primitives: a forward and its derivative, side by side.

An op called on plain arrays runs its forward and drops the residuals: inference pays one type
check per argument. An op called on a `Tensor` is recorded; `backward` walks the record in reverse.
There is no global mode and no flag on arrays. The scheme follows autograd (Maclaurin et al., 2015),
at the granularity of fused operations.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np


class Tensor:
    """A value under differentiation. Exists only while a gradient is being taken.

    value: an array, or a tuple of arrays for an op with several results
    parents: the inputs of the op that made it; backward(g) -> one gradient (or None) per parent
    """

    __slots__ = ("backward", "parents", "value")
    __array_ufunc__ = None  # np.exp(tensor) raises, array + tensor defers to __radd__

    def __init__(self, value: Any, parents: tuple = (), backward: Any = None):
        self.value, self.parents, self.backward = value, parents, backward

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a NumPy function was called on a value under differentiation, which would lose its "
            "gradient: use the operation of the same name in minitransformers.core.ops"
        )

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __len__(self) -> int:
        return len(self.value)

    def __add__(self, other: Any) -> Any:
        return _ops().add(self, other)

    def __mul__(self, other: Any) -> Any:
        return _ops().mul(self, other)

    def __sub__(self, other: Any) -> Any:
        return _ops().add(self, _ops().mul(other, -1.0))

    def __rsub__(self, other: Any) -> Any:
        return _ops().add(_ops().mul(self, -1.0), other)

    def __neg__(self) -> Any:
        return _ops().mul(self, -1.0)

    def __truediv__(self, other: float) -> Any:
        return _ops().mul(self, 1.0 / other)

    def __getitem__(self, index: Any) -> Any:
        return _ops().getitem(self, index=index)

    def reshape(self, *shape: int) -> Any:
        return _ops().reshape(self, shape=shape)

    __radd__, __rmul__ = __add__, __mul__

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"


def _ops() -> Any:
    from . import ops  # the ops are built from primitives, so the operators look them up late

    return ops


def value_of(x: Any) -> Any:
    """The array behind `x`, which may be a Tensor or already an array."""
    return x.value if type(x) is Tensor else x


class Primitive:
    """An op made of `forward(*inputs, **static) -> (out, saved)` and `vjp(saved, g) -> gradients`.

    Positional arguments are differentiable (arrays, Tensors or None), keywords are static. A
    forward that must do extra work to save residuals declares `record=False` and is told when.
    """

    def __init__(self, forward: Callable):
        self.forward = forward
        self.vjp: Any = None
        self._told = "record" in inspect.signature(forward).parameters
        self.__name__: str
        functools.update_wrapper(self, forward)

    def defvjp(self, vjp: Callable) -> Callable:
        self.vjp = vjp
        return vjp

    def __reduce__(self) -> str:
        return self.__name__  # pickled by name, as a function is

    def __call__(self, *inputs: Any, **static: Any) -> Any:
        for x in inputs:
            if type(x) is Tensor:
                return self._record(inputs, static)
        return self.forward(*inputs, **static)[0]

    def _record(self, inputs: tuple, static: dict) -> Any:
        if self._told:
            static["record"] = True
        out, saved = self.forward(*(value_of(x) for x in inputs), **static)
        node = Tensor(out, inputs, functools.partial(self.vjp, saved))
        if isinstance(out, tuple):
            return tuple(Tensor(part, (node,), _Part(i)) for i, part in enumerate(out))
        return node


primitive = Primitive


class _Part:
    """The backward of one result of an op with several: says which one its gradient is of."""

    def __init__(self, index: int):
        self.index = index

    def __call__(self, g: np.ndarray) -> tuple[tuple[int, np.ndarray]]:
        return ((self.index, g),)


def backward(root: Tensor, seed: np.ndarray | None = None) -> dict[int, np.ndarray]:
    """Derive `root` by every leaf it was computed from.

    root: usually a scalar loss; seed: its gradient, ones by default
    -> {id(leaf): gradient, of the leaf's shape} for the Tensors that no op made
    """
    grads: dict[int, Any] = {id(root): np.ones_like(root.value) if seed is None else seed}
    ours: set[int] = set()  # sums allocated here, which later terms may be added to in place
    for node in reversed(_in_order(root)):
        if node.backward is None:
            continue
        g = grads.pop(id(node))
        if isinstance(node.value, tuple):
            g = tuple(np.zeros_like(v) if p is None else p for p, v in zip(g, node.value))
        for parent, term in zip(node.parents, node.backward(g)):
            if type(parent) is not Tensor or term is None:
                continue
            if isinstance(parent.value, tuple):
                index, term = term
                parts = grads.setdefault(id(parent), [None] * len(parent.value))
                parts[index] = term if parts[index] is None else parts[index] + term
            elif id(parent) not in grads:
                grads[id(parent)] = term
            elif id(parent) in ours:
                grads[id(parent)] += term
            else:
                grads[id(parent)] = grads[id(parent)] + term
                ours.add(id(parent))
    return grads


def _in_order(root: Tensor) -> list[Tensor]:
    """Every Tensor `root` depends on, parents before children."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((p, False) for p in node.parents if type(p) is Tensor)
    return order
