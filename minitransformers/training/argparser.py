"""`HfArgumentParser`: command lines, dictionaries and files into dataclasses."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import types
import typing
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Literal

_TRUE, _FALSE = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")


def string_to_bool(value: Any) -> bool:
    """ "yes", "true", "t", "y", "1" and their opposites, in any case. Raises ArgumentTypeError."""
    if isinstance(value, bool):
        return value
    if value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise argparse.ArgumentTypeError(
        f"{value!r} is neither true ({', '.join(_TRUE)}) nor false ({', '.join(_FALSE)})"
    )


def HfArg(
    *,
    aliases: str | list[str] | None = None,
    help: str | None = None,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
    metadata: dict | None = None,
    **kwargs: Any,
) -> Any:
    """A dataclass field with help and other names for the command line."""
    extra = {"aliases": aliases, "help": help}
    metadata = dict(metadata or {}) | {k: v for k, v in extra.items() if v is not None}
    return dataclasses.field(
        metadata=metadata, default=default, default_factory=default_factory, **kwargs
    )


class HfArgumentParser(argparse.ArgumentParser):
    """An ArgumentParser with an option for every field of dataclasses.

    dataclass_types: a dataclass, or several. The type of a field decides how its option is read:
        a bool is a flag, which may be given a value, and has a --no_ form if its default is true;
        a list takes several values; an Enum or Literal has choices. Metadata: help, aliases,
        choices. A class's `_argument_group_name` puts its options under a heading.
    """

    def __init__(self, dataclass_types: Any, **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.ArgumentDefaultsHelpFormatter)
        super().__init__(**kwargs)
        if dataclasses.is_dataclass(dataclass_types):
            dataclass_types = [dataclass_types]
        self.dataclass_types = list(dataclass_types)
        for kind in self.dataclass_types:
            name = getattr(kind, "_argument_group_name", None)
            group = self.add_argument_group(name) if name else self
            hints = typing.get_type_hints(kind)
            for field in dataclasses.fields(kind):
                if field.init:
                    _add_option(group, field, hints[field.name])

    def parse_args_into_dataclasses(
        self,
        args: Iterable[str] | None = None,
        return_remaining_strings: bool = False,
        look_for_args_file: bool = True,
        args_filename: str | None = None,
        args_file_flag: str | None = None,
    ) -> tuple[Any, ...]:
        """Read a command line, by default the process's own.

        look_for_args_file: read options from <script>.args first, if there is such a file
        args_filename: that file's name; args_file_flag: an option that names such files
        -> an instance of each dataclass, then a Namespace of options added besides, if any, and
        the strings nobody knows, if they are to be returned
        Raises ValueError for strings that nobody knows, if they are not.
        """
        arguments = list(sys.argv[1:] if args is None else args)
        files = [Path(args_filename)] if args_filename else []
        if not files and look_for_args_file and sys.argv:
            files = [Path(sys.argv[0]).with_suffix(".args")]
        if args_file_flag:
            finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
            finder.add_argument(args_file_flag, action="append", dest="files", default=[])
            found, arguments = finder.parse_known_args(arguments)
            files += map(Path, found.files)
        written = [word for file in files if file.exists() for word in file.read_text().split()]
        namespace, unknown = self.parse_known_args([*written, *arguments])
        values = vars(namespace)
        outputs: list[Any] = []
        for kind in self.dataclass_types:
            names = [field.name for field in dataclasses.fields(kind) if field.init]
            outputs.append(kind(**{name: values.pop(name) for name in names}))
        if values:
            outputs.append(namespace)
        if return_remaining_strings:
            return (*outputs, unknown)
        if unknown:
            raise ValueError(
                f"Some specified arguments are not used by the HfArgumentParser: {unknown}"
            )
        return tuple(outputs)

    def parse_dict(self, args: dict[str, Any], allow_extra_keys: bool = False) -> tuple[Any, ...]:
        """Build the dataclasses from a dictionary.

        Raises ValueError for keys that none of them has, unless allow_extra_keys.
        """
        unused, outputs = set(args), []
        for kind in self.dataclass_types:
            names = {field.name for field in dataclasses.fields(kind) if field.init} & set(args)
            unused -= names
            outputs.append(kind(**{name: args[name] for name in args if name in names}))
        if unused and not allow_extra_keys:
            raise ValueError(f"Some keys are not used by the HfArgumentParser: {sorted(unused)}")
        return tuple(outputs)

    def parse_json_file(
        self, json_file: str | os.PathLike[str], allow_extra_keys: bool = False
    ) -> tuple[Any, ...]:
        """Build the dataclasses from a JSON file. Errors are those of `parse_dict`."""
        content = json.loads(Path(json_file).read_text(encoding="utf-8"))
        return self.parse_dict(content, allow_extra_keys)

    def parse_yaml_file(
        self, yaml_file: str | os.PathLike[str], allow_extra_keys: bool = False
    ) -> tuple[Any, ...]:
        """Build the dataclasses from a YAML file. Errors are those of `parse_dict`."""
        import yaml  # huggingface_hub needs it too

        content = yaml.safe_load(Path(yaml_file).read_text(encoding="utf-8"))
        return self.parse_dict(content, allow_extra_keys)


def _add_option(parser: Any, field: Any, hint: Any) -> None:
    names = [f"--{field.name}"]
    if "_" in field.name:
        names.append(f"--{field.name.replace('_', '-')}")
    options = dict(field.metadata)
    aliases = options.pop("aliases", [])
    names += [aliases] if isinstance(aliases, str) else aliases
    kind, optional = _one_type(hint, field.name)
    origin = typing.get_origin(kind) or kind
    has_default = field.default is not dataclasses.MISSING
    if has_default:
        options["default"] = field.default
    elif field.default_factory is not dataclasses.MISSING:
        options["default"] = field.default_factory()
    elif kind is not bool:
        options["required"] = True
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        choices = list(typing.get_args(kind)) if origin is Literal else [x.value for x in kind]
        options |= {"choices": choices, "type": _choice_of(choices)}
    elif kind is bool:
        options["type"] = string_to_bool
        if not optional or field.default not in (None, dataclasses.MISSING):
            options.setdefault("default", False)
            options |= {"nargs": "?", "const": True}
    elif origin is list:
        options |= {"type": (typing.get_args(kind) or (str,))[0], "nargs": "+"}
    else:
        options["type"] = origin
    parser.add_argument(*names, dest=field.name, **options)
    if kind is bool and field.default is True:
        off = [f"--no_{field.name}", f"--no-{field.name.replace('_', '-')}"]
        help = options.get("help")
        parser.add_argument(
            *dict.fromkeys(off), action="store_false", dest=field.name, default=True, help=help
        )


def _one_type(hint: Any, name: str) -> tuple[Any, bool]:
    """-> the type an option is read as, and whether it may be None. Raises ValueError for a union
    that leaves it open."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    kinds = list(typing.get_args(hint))
    optional = type(None) in kinds
    rest = [kind for kind in kinds if kind is not type(None)]
    enums = [kind for kind in rest if isinstance(kind, type) and issubclass(kind, Enum)]
    if enums:  # "IntervalStrategy | str"
        return enums[0], optional
    if len(rest) == 1:
        return rest[0], optional
    if str in rest:
        return str, optional
    raise ValueError(
        f"field {name!r} may be {hint}: a command line can be read as one type only, so let it be "
        "one type, or that and None, or a union with str"
    )


def _choice_of(choices: list[Any]) -> Any:
    named = {str(choice): choice for choice in choices}
    return lambda text: named.get(text, text)
