"""Every public name is documented, with shapes where it takes or returns arrays."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest

import minitransformers
from minitransformers import PretrainedConfig, PreTrainedModel
from minitransformers.models.described import _INPUTS, _OUTPUTS

NAMES = sorted(set(minitransformers.__all__) - {"__version__", "logging"})
# the names of docs/shapes.md, and (), a single number
AXES = (
    *("batch", "seq", "total", "hidden", "heads", "kv_heads", "head_dim", "inner", "vocab"),
    *("source", "rows", "length", "labels", "choices", "examples", "n", "m", "beams", "layers"),
    *("tokens", "texts", "classes", "sentences", "target", "1", "features", "steps", r"\.\.\."),
)
SHAPE = re.compile(rf"\(\)|\((?:{'|'.join(AXES)})(?:,[^()]*)?\)|\[(?:{'|'.join(AXES)})\]")


def documented_parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(name, what is called) of a function, or of a class's own public methods that take arrays."""
    if inspect.isfunction(value):
        yield value.__name__, value
    if not inspect.isclass(value):
        return
    for name, method in vars(value).items():
        if isinstance(method, (staticmethod, classmethod)):
            method = method.__func__
        public = name in ("__call__", "__init__") or not name.startswith("_")
        if public and isinstance(method, types.FunctionType):
            yield f"{value.__name__}.{name}", getattr(value, name)


def takes_arrays(function: Any) -> bool:
    hints = getattr(function, "__annotations__", {})
    kinds = [str(hint) for hint in hints.values()]
    return any("ndarray" in kind and not re.search(r"(?i)(dict|mapping)\[", kind) for kind in kinds)


def said_of(value: Any, function: Any) -> str:
    """The docstrings of a function, and of what it overrides and belongs to."""
    if not inspect.isclass(value):
        return inspect.getdoc(function) or ""
    family = [c for c in value.__mro__ if c.__module__.startswith("minitransformers")]
    said = [c.__doc__ for c in family]
    said += [getattr(vars(c).get(function.__name__), "__doc__", "") for c in family]
    return "\n".join(text for text in said if text)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented(name: str) -> None:
    value = getattr(minitransformers, name)
    said = inspect.getdoc(value)
    assert said, f"{name} has no docstring"
    assert said != inspect.getdoc(type(value)), f"{name} has its type's docstring only"
    for part, function in documented_parts(value):
        if takes_arrays(function):
            assert SHAPE.search(said_of(value, function)), f"{part} says no shapes"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_the_shapes_of_its_inputs_and_outputs(name: str) -> None:
    value = getattr(minitransformers, name)
    if not inspect.isclass(value) or not issubclass(value, (PreTrainedModel, PretrainedConfig)):
        return
    if value in (PreTrainedModel, PretrainedConfig):
        return
    said = inspect.getdoc(value) or ""
    if issubclass(value, PretrainedConfig):
        assert "Fields of config.json" in said
        return
    for given in (*value.inputs, *value.targets):
        assert f"{given}: " in said, f"{name} does not say what {given} is"
    assert f"-> `{value.output_class.__name__}`" in said
    assert len(SHAPE.findall(said)) >= 3


def test_what_is_written_once_is_used() -> None:
    models = [getattr(minitransformers, name) for name in NAMES]
    models = [m for m in models if inspect.isclass(m) and issubclass(m, PreTrainedModel)]
    taken = {name for m in models for name in (*m.inputs, *m.targets)}
    assert set(_INPUTS) <= taken
    returned = {f for m in models for f in m.output_class.__dataclass_fields__}
    assert set(_OUTPUTS) <= returned
