"""Parameters: handles on the arrays of a model that training changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .primitive import Tensor, is_own

if TYPE_CHECKING:
    from .module import Module

_HANDLES = "_handles"  # the attribute of a Module that holds its Parameters, once asked for


class Parameter(np.lib.mixins.NDArrayOperatorsMixin):
    """A parameter of a Module: where its array is kept, its gradient, whether it is trained.

    The Module itself holds a plain array; this handle finds it there, so it stays right when
    weights are loaded. Arithmetic and NumPy functions see the array; `p -= x` changes it in place.

    name: its full name in the largest tree it was found in
    grad: what `backward` added up, an array of its shape, or None
    requires_grad: whether it is trained; set it to False to freeze it
    optimiser: a weak reference to the optimiser that changes it, or None
    """

    def __init__(self, name: str = ""):
        self.name = name
        self.places: list[tuple[Module, str]] = []  # several of a tied one
        self.grad: np.ndarray | None = None
        self.requires_grad = True
        self.optimiser: Callable[[], Any] | None = None

    @property
    def data(self) -> np.ndarray:
        """The array, which may be a read-only view of a file: see `writable`."""
        owner, attribute = self.places[0]
        value = getattr(owner, attribute)
        return value.value if type(value) is Tensor else value

    @data.setter
    def data(self, value: np.ndarray) -> None:
        for owner, attribute in self.places:
            setattr(owner, attribute, value)

    def writable(self) -> np.ndarray:
        """The array for writing to: from the first time on a copy of the file's, never the file.

        A weight kept in half precision becomes a float32 one.
        """
        flags = self.data.flags
        if not (isinstance(self.data, np.ndarray) and flags.writeable and flags.c_contiguous):
            self.data = np.array(self.data, order="C")
        return self.data

    def accumulate(self, g: np.ndarray) -> tuple:
        """Add a gradient to `grad`: what a leaf's vjp does. -> () as a leaf has no parents"""
        if self.grad is None:
            # most gradients are new arrays of their own; a view may be of another's gradient
            self.grad = g if is_own(g) else np.array(g)
        else:
            self.grad += g
        return ()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient, or set it to zeros."""
        if set_to_none:
            self.grad = None
        elif self.grad is not None:
            self.grad.fill(0.0)

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    nbytes = property(lambda self: self.data.nbytes)
    flags = property(lambda self: self.data.flags)

    def numel(self) -> int:
        """How many numbers it holds."""
        return self.size

    def dim(self) -> int:
        return self.ndim

    def requires_grad_(self, requires_grad: bool = True) -> Parameter:
        self.requires_grad = requires_grad
        return self

    def detach(self) -> np.ndarray:
        return self.data

    def numpy(self) -> np.ndarray:
        return self.data

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.data, dtype) if copy else np.asarray(self.data, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = tuple(x.data if isinstance(x, Parameter) else x for x in inputs)
        out = kwargs.get("out", ())
        if out:
            kwargs["out"] = tuple(x.writable() if isinstance(x, Parameter) else x for x in out)
        result = getattr(ufunc, method)(*arrays, **kwargs)
        return out[0] if len(out) == 1 else result

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    # a key of dictionaries and an element of sets, as torch's is
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.data!r})"


def named_parameters(module: Module) -> Iterator[tuple[str, Parameter]]:
    """(name, Parameter) of a tree, a tied one once under its first name; buffers are left out."""
    # all of them before the first is handed out: who gets it may put another array in its place,
    # by which the next name of a tied one would not be known any more
    found: dict[int, Parameter] = {}
    named: list[tuple[str, Parameter]] = []
    for name, owner, attribute in list(module.slots()):
        if attribute in owner.buffers:
            continue
        value = getattr(owner, attribute)
        known = found.get(id(value))
        parameter = _handle(owner, attribute, name)
        if known is None:
            found[id(value)] = parameter
            if len(name) > len(parameter.name):
                parameter.name = name
            named.append((name, parameter))
        elif known is not parameter:
            _tie(known, parameter)
    yield from named


def is_optimised(module: Module) -> bool:
    """Whether an optimiser holds a parameter of the tree."""
    return any(
        parameter.optimiser is not None and parameter.optimiser() is not None
        for part in module.modules()
        for parameter in vars(part).get(_HANDLES, {}).values()
    )


def _handle(owner: Module, attribute: str, name: str) -> Parameter:
    handles = vars(owner).setdefault(_HANDLES, {})
    if attribute not in handles:
        handles[attribute] = Parameter(name)
        # integers cannot be trained: their gradient passes through them only
        handles[attribute].requires_grad = getattr(getattr(owner, attribute), "trainable", True)
        handles[attribute].places.append((owner, attribute))
    return handles[attribute]


def _tie(first: Parameter, other: Parameter) -> None:
    """Make two handles on one array one: they were asked for before the array was seen to be tied,
    or of parts of the model that each hold it."""
    if vars(first) is vars(other):
        return
    first.places += [place for place in other.places if place not in first.places]
    first.requires_grad &= other.requires_grad
    for owner, attribute in other.places:
        vars(owner)[_HANDLES][attribute] = first
    other.__dict__ = vars(first)  # whoever holds the other one sees the same
