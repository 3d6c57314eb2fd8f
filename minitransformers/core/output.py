"""Records that are read by attribute, key, index or slice."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any


class ModelOutput(OrderedDict):
    """A dataclass that is also a dictionary of its fields, without those that are None.

    `output.logits`, `output["logits"]`, `output[0]` and `output[:2]` all work; `to_tuple()` and
    iteration over `to_tuple()` give the values. Subclasses are dataclasses.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(cls)

    def __post_init__(self) -> None:
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        first = getattr(self, names[0])
        if isinstance(first, dict) and all(getattr(self, n) is None for n in names[1:]):
            setattr(self, names[0], None)  # a dictionary alone holds the fields
            for name, value in first.items():
                setattr(self, name, value)
                super().__setitem__(name, value)
            return
        for name in names:
            value = getattr(self, name)
            if value is not None:
                super().__setitem__(name, value)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        return self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.keys() and value is not None:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __delitem__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"fields of a {type(self).__name__} cannot be deleted")

    def setdefault(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `setdefault`")

    def pop(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `pop`")

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `update`")

    def to_tuple(self) -> tuple:
        """The values that are not None, in the order of the fields."""
        return tuple(self[name] for name in self.keys())

    def __reduce__(self) -> Any:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return type(self), tuple(getattr(self, field.name) for field in fields)

    def __eq__(self, other: Any) -> bool:
        return self is other

    __hash__ = object.__hash__  # type: ignore[assignment]
