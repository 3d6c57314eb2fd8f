"""Modules that stand where another one stood, and keep the names of its parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from ..core.module import Module
from ..core.parameter import Parameter
from ..core.primitive import Tensor

# The adapter of each row of a batch, while a call is made with `adapter_names`.
row_adapters: ContextVar[tuple[str, ...] | None] = ContextVar("row_adapters", default=None)


class Named(Module):
    """Modules or arrays by the name of the adapter they belong to."""

    def __iter__(self) -> Iterator[str]:
        return (k for k, v in vars(self).items() if isinstance(v, (Module, np.ndarray, Tensor)))

    def __contains__(self, name: str) -> bool:
        return name in iter(self)

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return getattr(self, name)

    def __setitem__(self, name: str, part: Any) -> None:
        setattr(self, name, part)

    def keys(self) -> list[str]:
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self]

    def pop(self, name: str) -> None:
        vars(self).pop(name, None)


class Wrapper(Module):
    """Stands in the tree for the Module it holds, whose parameters keep their names.

    inner: the attribute with that Module
    adapters: which of those beside it are in force; see `set_adapter`
    """

    inner: ClassVar[str]

    def __init__(self, module: Module):
        setattr(self, self.inner, module)
        self._active: tuple[str, ...] = ()  # no list: lists of a Module are of layers
        self.disable_adapters = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.inner not in vars(self):
            raise AttributeError(name)
        return getattr(self._shown(), name)

    def _shown(self) -> Module:
        """The Module whose attributes are seen from outside."""
        return vars(self)[self.inner]

    def slots(self, prefix: str = "") -> Iterator[tuple[str, Module, str]]:
        for name, child in self.named_children():
            yield from child.slots(prefix if name == self.inner else f"{prefix}{name}.")

    @property
    def active_adapters(self) -> list[str]:
        """Those in force, in order."""
        return list(self._active)

    @property
    def active_adapter(self) -> list[str]:
        return list(self._active)

    def set_adapter(self, names: tuple[str, ...]) -> None:
        """Put adapters in force; of those it has no part of it takes no notice."""
        self._active = names

    def enable_adapters(self, enabled: bool) -> None:
        """Switch adapters on or off, without forgetting which."""
        self.disable_adapters = not enabled

    def adapter_names(self) -> list[str]:
        """Those it has a part of."""
        raise NotImplementedError

    def adapter_parameters(self, name: str) -> Iterator[Parameter]:
        """The parameters of an adapter's part."""
        raise NotImplementedError

    def delete_adapter(self, name: str) -> None:
        """Drop an adapter's part."""
        raise NotImplementedError


class SavedModule(Wrapper):
    """A module that adapters have copies of, trained and saved as a whole: `modules_to_save`."""

    inner = "original_module"

    def __init__(self, module: Module):
        super().__init__(module)
        self.modules_to_save = Named()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        rows = row_adapters.get()
        if rows is None or self.disable_adapters:
            return self._shown()(*args, **kwargs)
        return self._by_row(rows, *args, **kwargs)

    def _shown(self) -> Module:
        for name in reversed(self._active):
            if name in self.modules_to_save and not self.disable_adapters:
                return self.modules_to_save[name]
        return self.original_module

    def _by_row(self, rows: tuple[str, ...], x: Any, *args: Any, **kwargs: Any) -> Any:
        out: Any = None
        for name, chosen in rows_by_adapter(rows, len(x)).items():
            known = name in self.modules_to_save
            module = self.modules_to_save[name] if known else self.original_module
            part = module(x[chosen], *args, **kwargs)
            out = np.empty((len(x), *part.shape[1:]), part.dtype) if out is None else out
            out[chosen] = part
        return out

    def add_adapter(self, name: str) -> None:
        """Copy the original for an adapter."""
        self.modules_to_save[name] = copy.deepcopy(self.original_module)

    def adapter_names(self) -> list[str]:
        return self.modules_to_save.keys()

    def adapter_parameters(self, name: str) -> Iterator[Parameter]:
        if name in self.modules_to_save:
            yield from self.modules_to_save[name].parameters()

    def delete_adapter(self, name: str) -> None:
        self.modules_to_save.pop(name)


def rows_by_adapter(names: tuple[str, ...], rows: int) -> dict[str, np.ndarray]:
    """{adapter: indices of its rows}. Beams and choices of one input follow each other.

    Raises ValueError if there is not a name for every input.
    """
    if rows % len(names):
        raise ValueError(
            f"`adapter_names` has {len(names)} names for {rows} rows: give one for each input"
        )
    each = np.repeat(np.array(names), rows // len(names))
    return {name: np.flatnonzero(each == name) for name in dict.fromkeys(names)}
