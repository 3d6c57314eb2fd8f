"""What commands share: options, parameters of a generation, reading and printing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

# What goes wrong outside the program; other errors are its own.
_EXPECTED = (OSError, ValueError, RuntimeError, TypeError, ImportError, KeyError)


class UsageError(ValueError):
    """Options that do not fit together: exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser with examples under its help, whose errors are one line."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        if examples:
            kwargs["epilog"] = "\n  ".join(["examples:", *examples])
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def in_one_line(error: Exception) -> str:
    """What went wrong, for someone who did not write the program."""
    told = error.args[0] if isinstance(error, KeyError) and error.args else error
    message = " ".join(str(told).split())
    if not message:
        return type(error).__name__
    if isinstance(error, _EXPECTED) or type(error).__module__ != "builtins":
        return message
    return f"{type(error).__name__}: {message} (--debug shows where)"


def positive(text: str) -> int:
    """The type of options that count something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


positive.__name__ = "number"  # argparse names it in its errors


def add_model_options(parser: argparse.ArgumentParser, *, precision: bool = True) -> None:
    """Where a model is, how it is kept and who computes; see `model_keywords`."""
    parser.add_argument("--revision", help="branch, tag or commit of a Hub repo")
    parser.add_argument("--gguf-file", metavar="NAME", help="the GGUF file of the model to read")
    parser.add_argument(
        "--threads", type=positive, help="threads that compute (default: the CPU quota)"
    )
    if precision:
        parser.add_argument(
            "--quantize", choices=("8bit", "4bit"), help="keep the matrices in 8 or 4 bits"
        )


def where(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `from_pretrained` that say where files are."""
    given = {"revision": options.revision, "gguf_file": options.gguf_file}
    return {name: value for name, value in given.items() if value}


def precision(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `from_pretrained` that say how weights are kept."""
    return {f"load_in_{options.quantize}": True} if options.quantize else {}


# Parameters of a generation with an option of their own; --set reaches the others.
_PARAMETERS: dict[str, type] = {
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "repetition_penalty": float,
}
OF_SAMPLING = {"temperature", "top_k", "top_p", "min_p", "typical_p"}


def add_generation_options(parser: argparse.ArgumentParser, *, max_new_tokens: int) -> None:
    """How to decode; see `generation_parameters`."""
    group = parser.add_argument_group("decoding")
    group.add_argument("--max-new-tokens", type=positive, default=max_new_tokens, metavar="N")
    group.add_argument("--sample", action="store_true", help="draw tokens instead of the best")
    group.add_argument("--seed", type=int, help="make draws repeatable")
    for name, kind in _PARAMETERS.items():
        metavar = "N" if kind is int else "X"
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar)
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of GenerationConfig; may be repeated",
    )


def generation_parameters(options: argparse.Namespace) -> dict[str, Any]:
    """What the options ask of `generate`; parameters of sampling imply sampling."""
    given = {name: getattr(options, name) for name in _PARAMETERS}
    found = {"max_new_tokens": options.max_new_tokens}
    found |= {name: value for name, value in given.items() if value is not None}
    found |= dict(map(parse_setting, options.set))
    if options.sample or OF_SAMPLING & found.keys():
        found.setdefault("do_sample", True)
    return found


# the parameters whose value may be a text
_OF_TEXT = (
    "stop_strings",
    "early_stopping",
    "cache_implementation",
    "num_assistant_tokens_schedule",
)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read "name=value", where the value is JSON, Python's True, False and None, or else a text.

    Raises UsageError if it is no parameter of a generation.
    """
    from ..generation.config import GenerationConfig

    name, equals, value = text.partition("=")
    name, value = name.strip().replace("-", "_"), value.strip()
    known = [n for n in vars(GenerationConfig()) if not n.startswith("_")]
    if not equals or name not in known:
        from difflib import get_close_matches

        close = get_close_matches(name, known, 3)
        advice = f"; did you mean {' or '.join(close)}?" if close else ""
        problem = f"{name!r} is no parameter of a generation" if equals else "it reads NAME=VALUE"
        raise UsageError(f"cannot set {text!r}: {problem}{advice}")
    try:
        return name, json.loads(
            {"True": "true", "False": "false", "None": "null"}.get(value, value)
        )
    except ValueError:
        if name not in _OF_TEXT:
            wanted = "a number, a list, True, False or None"
            raise UsageError(f"cannot set {text!r}: {name} takes {wanted}") from None
        return name, value


def read_texts(texts: Sequence[str]) -> Iterator[str]:
    """The texts given, or else the lines of standard input that are not blank."""
    if texts:
        yield from texts
        return
    announce_input()
    yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())


def announce_input() -> None:
    """Say that the command waits for a text, to whom it may look stuck."""
    if sys.stdin.isatty():
        print("minitransformers: reading from the terminal; Ctrl-D ends", file=sys.stderr)


def print_json(value: Any) -> None:
    """One value on one line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_facts(facts: dict[str, Any]) -> None:
    """A name and a value a line: numbers with commas, bytes in units too, lists in one line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        if isinstance(value, (list, tuple)):
            value = ", ".join(map(str, value))
        elif isinstance(value, float):
            value = f"{value:,.2f}"
        elif isinstance(value, int) and not isinstance(value, bool):
            unit = f" ({readable(value)})" if name.endswith("bytes") else ""
            value = f"{value:,}{unit}"
        print(f"{name:{width}}  {value}".rstrip())


def readable(size: float) -> str:
    """Bytes in the unit that suits them: 5,340,352 -> "5.3 MB" """
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.0f} bytes" if units[0] == "bytes" else f"{size:.1f} {units[0]}"
