"""A Python function as a JSON schema: what chat templates show a model as a tool."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin, get_type_hints


class TypeHintParsingException(Exception):
    """A type hint that has no JSON schema."""


class DocstringParsingException(Exception):
    """A docstring that lacks what a JSON schema needs."""


_BASIC_TYPES: dict[Any, dict[str, str]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    Any: {},
}
_SECTION = r"(?:Args|Returns|Raises):"
_DESCRIPTION = re.compile(rf"\A(.*?)\s*(?:{_SECTION}|\Z)", re.DOTALL)
_ARGUMENTS = re.compile(r"\n\s*Args:\n\s*(.*?)\s*(?:Returns:|Raises:|\Z)", re.DOTALL)
_RETURNS = re.compile(r"\n\s*Returns:\n\s*(.*?)\s*(?:Raises:|\Z)", re.DOTALL)
_ARGUMENT = re.compile(r"(?:^|\n)\s*(\w+):\s*(.*?)\s*(?=\n\s*\w+:|\Z)", re.DOTALL)
_CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)


def get_json_schema(func: Callable[..., Any]) -> dict[str, Any]:
    """Describe a function by its type hints and its docstring in Google's style.

    Each argument needs a hint and a line under "Args:"; "(choices: [...])" at the end of that line
    becomes an enum.
    -> {"type": "function", "function": {"name", "description", "parameters"[, "return"]}}
    Raises DocstringParsingException or TypeHintParsingException, naming what is missing.
    """
    docstring = (inspect.getdoc(func) or "").strip()
    if not docstring:
        raise DocstringParsingException(
            f"Cannot generate JSON schema for {func.__name__} because it has no docstring!"
        )
    description, documented, returns = _parse_docstring(docstring)
    parameters = _parameters(func)
    returned = parameters["properties"].pop("return", None)
    if returned is not None and returns is not None:
        returned["description"] = returns
    for name, schema in parameters["properties"].items():
        if name not in documented:
            raise DocstringParsingException(
                f"Cannot generate JSON schema for {func.__name__} because the docstring has no "
                f"description for the argument '{name}'"
            )
        text = documented[name]
        if choices := _CHOICES.search(text):
            schema["enum"] = [choice.strip() for choice in json.loads(choices.group(1))]
            text = text[: choices.start()].strip()
        schema["description"] = text
    function = {"name": func.__name__, "description": description, "parameters": parameters}
    if returned is not None:
        function["return"] = returned
    return {"type": "function", "function": function}


def _parse_docstring(docstring: str) -> tuple[str | None, dict[str, str], str | None]:
    """Return (description, argument -> text, what is returned)."""

    def section(pattern: re.Pattern[str]) -> str | None:
        match = pattern.search(docstring)
        return match.group(1).strip() if match else None

    lines = (section(_ARGUMENTS) or "").split("\n")
    body = "\n".join(line for line in lines if line.strip())
    arguments = {
        name: re.sub(r"\s*\n+\s*", " ", text.strip()) for name, text in _ARGUMENT.findall(body)
    }
    return section(_DESCRIPTION), arguments, section(_RETURNS)


def _parameters(func: Callable[..., Any]) -> dict[str, Any]:
    signature = inspect.signature(func)
    for parameter in signature.parameters.values():
        if parameter.annotation is inspect.Parameter.empty:
            raise TypeHintParsingException(
                f"Argument {parameter.name} is missing a type hint in function {func.__name__}"
            )
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _schema_of(hint) for name, hint in get_type_hints(func).items()},
    }
    required = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    if required:
        schema["required"] = required
    return schema


def _schema_of(hint: Any) -> dict[str, Any]:
    """Return the schema of a type hint."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is None:
        try:
            return dict(_BASIC_TYPES.get(hint, {"type": "object"}))
        except TypeError as error:
            raise TypeHintParsingException(f"Couldn't parse the type hint {hint}") from error
    if origin in (Union, types.UnionType):
        return _schema_of_union(args)
    if origin is list:
        return {"type": "array", "items": _schema_of(args[0])} if args else {"type": "array"}
    if origin is tuple:
        if len(args) == 1 or ... in args:
            raise TypeHintParsingException(
                f"The type hint {hint} has no JSON schema: use list[...] for inputs of variable "
                "length, and the element itself instead of a tuple of one."
            )
        return {"type": "array", "prefixItems": [_schema_of(arg) for arg in args]}
    if origin is dict:
        values = {"additionalProperties": _schema_of(args[1])} if len(args) == 2 else {}
        return {"type": "object", **values}
    raise TypeHintParsingException(
        f"Couldn't parse the type hint {hint}, likely due to a custom class or object."
    )


def _schema_of_union(args: tuple[Any, ...]) -> dict[str, Any]:
    members = [_schema_of(arg) for arg in args if arg is not type(None)]
    if len(members) == 1:
        schema = members[0]
    elif all(isinstance(member["type"], str) for member in members):
        schema = {"type": sorted(member["type"] for member in members)}
    else:
        schema = {"anyOf": members}
    if type(None) in args:
        schema["nullable"] = True
    return schema
