"""The parameter tree: attribute paths are the checkpoint's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from .packed import Packed
from .parameter import Parameter, named_parameters
from .primitive import Tensor


def placeholder(*shape: int) -> np.ndarray:
    """An array of that shape that takes no memory and no time, NaN everywhere until loaded."""
    return np.broadcast_to(np.float32(np.nan), shape)


def is_placeholder(x: Any) -> bool:
    return (
        isinstance(x, np.ndarray)
        and x.size > 0
        and not any(x.strides)
        and bool(np.isnan(x.flat[0]))
    )


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found on one side only."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A node of the tree. Its parameters are its array attributes, its children its Module
    attributes and lists of Modules; there is no registration.

    buffers: its array attributes that are part of the checkpoint but never trained
    packs: "rows" or "columns" if its `weight` may be kept in fewer bits, as a Packed: which of the
        two belong to one output
    """

    training = False
    drawn_at_once = False  # whether its fresh weights are drawn before later parts are made
    buffers: ClassVar[tuple[str, ...]] = ()
    packs: ClassVar[str | None] = None

    if TYPE_CHECKING:  # children are found by name; subclasses are called with what they compute on

        def __getattr__(self, name: str) -> Any: ...

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(attribute path, child), in the order of assignment; those of a list one by one"""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, Module):
                        yield f"{name}.{i}", item

    def children(self) -> Iterator[Module]:
        """Every child, those of a list one by one."""
        return (child for _, child in self.named_children())

    def modules(self) -> Iterator[Module]:
        """Every Module below, children first, this one last."""
        for child in self.children():
            yield from child.modules()
        yield self

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Call a function with every Module below, children first. -> self"""
        for module in list(self.modules()):
            fn(module)
        return self

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(full name, Module), this one first under the name `prefix`, parents before children"""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def get_submodule(self, target: str) -> Module:
        """The Module of this full name, itself for "". Raises AttributeError if there is none."""
        for name, module in self.named_modules():
            if name == target:
                return module
        raise AttributeError(f"{type(self).__name__} has no module {target!r}")

    def slots(self, prefix: str = "") -> Iterator[tuple[str, Module, str]]:
        """(full name, owner, attribute) of every parameter, tied ones each time they occur"""
        for name, value in vars(self).items():
            if isinstance(value, (np.ndarray, Tensor, Packed)):
                yield prefix + name, self, name
        for name, child in self.named_children():
            yield from child.slots(f"{prefix}{name}.")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, Parameter), a tied one once under its first name; without `buffers`"""
        return named_parameters(self)

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter, a tied one once."""
        return (parameter for _, parameter in self.named_parameters())

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter of this full name, any of a tied one's. Raises AttributeError if none."""
        place = next((tuple(slot) for name, *slot in self.slots() if name == target), None)
        for parameter in self.parameters():
            if place in parameter.places:
                return parameter
        raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Train every parameter below, or freeze them all (False). -> self"""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, or set it to zeros."""
        for parameter in self.parameters():
            parameter.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """{name: array}, tied arrays under every name"""
        return {name: getattr(owner, attribute) for name, owner, attribute in self.slots()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy weights into the parameters, under every name of a tied one, in their precision.

        strict: whether names that are missing or unexpected are an error
        assign: put the arrays themselves in the parameters' place, in their own precision, and
            under the given names only
        -> the missing and the unexpected names
        Raises RuntimeError that lists what is missing, unexpected or misshapen; nothing is changed
        then.
        """
        slots = {name: (owner, attribute) for name, owner, attribute in self.slots()}
        missing = [name for name in slots if name not in state_dict]
        unexpected = [name for name in state_dict if name not in slots]
        problems = []
        if strict:
            problems += [f"missing: {name}" for name in missing]
            problems += [f"unexpected: {name}" for name in unexpected]
        known = [name for name in slots if name in state_dict]
        for name in known:
            have, want = np.shape(state_dict[name]), getattr(*slots[name]).shape
            if have != want:
                problems.append(f"shape: {name} is {have}, the model's is {want}")
        if problems:
            raise RuntimeError(
                f"these weights do not fit {type(self).__name__}:\n  " + "\n  ".join(problems)
            )
        places: dict[int, list[tuple[Module, str]]] = {}
        for place in slots.values():
            places.setdefault(id(getattr(*place)), []).append(place)
        values = [(slots[name], getattr(*slots[name]), state_dict[name]) for name in known]
        for place, old, new in values:
            if assign:
                setattr(*place, new)
            else:
                copied = np.array(new, old.dtype, order="C")
                for each in places[id(old)]:
                    setattr(*each, copied)
        return IncompatibleKeys(missing, unexpected)

    def __getstate__(self) -> dict[str, Any]:
        # gradients and handles are of one process's training, not of the model
        return {name: value for name, value in vars(self).items() if name != "_handles"}

    def train(self, mode: bool = True) -> Any:
        """Switch dropout on and record calls for `backward` (or neither, mode=False). -> self"""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Any:
        """Switch dropout and recording off. -> self"""
        return self.train(False)
