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

from .memory import keep_freed_memory


class Tensor:
    """A value under differentiation. Exists only while a gradient is being taken.

    value: an array, or a tuple of arrays for an op with several results
    parents: the inputs of the op that made it
    vjp: its gradient -> one gradient (or None) per parent: the gradient itself, a view of it or a
        new array; None for a leaf whose gradient `backward` is to return
    """

    __slots__ = ("parents", "value", "vjp")
    __array_ufunc__ = None  # np.exp(tensor) raises, array + tensor defers to __radd__

    def __init__(self, value: Any, parents: tuple = (), vjp: Any = None):
        self.value, self.parents, self.vjp = value, parents, vjp

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a NumPy function was called on a value under differentiation, which would lose its "
            "gradient: use the operation of the same name in minitransformers.core.ops, or "
            "`.detach()` for the array"
        )

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    # leaving differentiation

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add the derivative by every parameter it was computed from to the parameter's `grad`.

        gradient: of what is to be derived by this value; may be left out for a single number
        retain_graph: keep what a further `backward` through the same operations needs
        Raises ValueError without `gradient` for several numbers, RuntimeError if an earlier
        `backward` has already released the operations.
        """
        if gradient is None and self.size != 1:
            raise ValueError(
                f"only a single number can be derived, not an array of shape {self.shape}: take "
                "its mean or sum first, or pass `gradient`"
            )
        seed = None if gradient is None else np.asarray(gradient, self.dtype)
        backward(self, seed, retain=retain_graph)

    def detach(self) -> np.ndarray:
        """The array itself, which takes no further part in differentiation."""
        return self.value

    def numpy(self) -> np.ndarray:
        """The same as `detach`."""
        return self.value

    def item(self) -> float:
        """The only element, as a Python number."""
        return self.value.item()

    def tolist(self) -> Any:
        return self.value.tolist()

    def argmax(self, axis: int | None = None, dim: int | None = None) -> Any:
        """Where the largest elements are, along an axis. -> integers"""
        return self.value.argmax(dim if axis is None else axis)

    def cpu(self) -> Tensor:
        return self

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self.size == 1 else str(self), spec)

    def __len__(self) -> int:
        return len(self.value)

    # arithmetic

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

    def sum(self) -> Any:
        return _ops().mul(self.mean(), float(self.size))

    def mean(self, axis: int | None = None) -> Any:
        flat = self.reshape(-1) if axis is None else self
        return _ops().mean(flat, axis=0 if axis is None else axis)

    __radd__, __rmul__, view = __add__, __mul__, reshape

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
    forward that must do extra work to save residuals declares `record=False` and is told when. A
    vjp that can leave out work declares `needs` and is told of each input whether its gradient is
    asked for.
    """

    def __init__(self, forward: Callable):
        self.forward = forward
        self.vjp: Any = None
        self._asks = False
        self._told = "record" in inspect.signature(forward).parameters
        self.__name__: str
        functools.update_wrapper(self, forward)

    def defvjp(self, vjp: Callable) -> Callable:
        self.vjp = vjp
        self._asks = "needs" in inspect.signature(vjp).parameters
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
        vjp = functools.partial(self.vjp, saved)
        if self._asks:
            vjp = functools.partial(vjp, needs=tuple(type(x) is Tensor for x in inputs))
        node = Tensor(out, inputs, vjp)
        return parts_of(node) if isinstance(out, tuple) else node


primitive = Primitive


def parts_of(node: Tensor) -> tuple[Tensor, ...]:
    """The results of an op with several, each on its own."""
    return tuple(Tensor(part, (node,), _Part(i)) for i, part in enumerate(node.value))


class _Part:
    """The backward of one result of an op with several: says which one its gradient is of."""

    def __init__(self, index: int):
        self.index = index

    def __call__(self, g: np.ndarray) -> tuple[tuple[int, np.ndarray]]:
        return ((self.index, g),)


def backward(root: Tensor, seed: Any = None, *, retain: bool = False) -> dict[int, np.ndarray]:
    """Derive `root` by every leaf it was computed from.

    root: usually a scalar loss; seed: its gradient, ones by default (for several values a tuple)
    retain: keep residuals, which otherwise are released one by one and cannot be used again
    -> {id(leaf): gradient, of the leaf's shape} for the leaves without a vjp of their own
    """
    keep_freed_memory()
    grads: dict[int, Any] = {id(root): np.ones_like(root.value) if seed is None else seed}
    ours: set[int] = set()  # ids of parents whose gradient nobody else holds: added to in place
    leaves = {}
    order = _in_order(root)
    while order:
        node = order.pop()
        g = grads.pop(id(node), None)
        ours.discard(id(node))
        if g is None:
            continue
        if node.vjp is None:
            leaves[id(node)] = g
            continue
        if isinstance(node.value, tuple):
            g = tuple(np.zeros_like(v) if p is None else p for p, v in zip(g, node.value))
        terms = node.vjp(g)
        for parent, term in zip(node.parents, terms):
            if type(parent) is Tensor and term is not None:
                _add(grads, ours, parent, term, g)
        if node.parents and not retain:
            node.parents, node.vjp = (), _released
    return leaves


def _add(grads: dict[int, Any], ours: set[int], parent: Tensor, term: Any, g: Any) -> None:
    """Add one term, which came of the gradient g, to the gradient of a parent."""
    key = id(parent)
    if isinstance(parent.value, tuple):
        index, term = term
        parts = grads.setdefault(key, [None] * len(parent.value))
        parts[index] = term if parts[index] is None else parts[index] + term
    elif key not in grads:
        grads[key] = term
        given = g if isinstance(g, tuple) else (g,)
        if is_own(term) and not any(term is x for x in given):
            ours.add(key)
    elif key in ours:
        grads[key] += term
    else:
        grads[key] = grads[key] + term
        ours.add(key)


def is_own(x: Any) -> bool:
    """Whether an array is no view and may be written to."""
    return x.base is None and x.flags.writeable


def _released(g: Any) -> Any:
    raise RuntimeError(
        "backward was called a second time through the same operations, whose residuals are "
        "released by the first: call the model again, or pass retain_graph=True to the first"
    )


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
