"""The command line: `minitransformers generate "Once upon a time"`. One file a command."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .common import Parser, UsageError, in_one_line

# Files of this package, in the order of --help. Each has HELP, EXAMPLES, add_arguments(parser) and
# run(options), which raises an error or leaves with success.
COMMANDS = (
    *("generate", "chat", "classify", "embed"),
    *("info", "convert", "bench", "port", "cache", "completion"),
)
_SUCCESS, _FAILURE, _USAGE, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. -> 0 on success, 1 if it failed, 2 for wrong usage, 130 if interrupted"""
    debug = False
    try:
        _speak_utf8()
        options = build_parser().parse_args(_arguments() if argv is None else argv)
        debug = options.debug
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("huggingface_hub").propagate = False  # it prints by itself
        if getattr(options, "threads", None):
            from ..core.threads import set_num_threads

            set_num_threads(options.threads)
        options.command(options)
        sys.stdout.flush()
    except SystemExit as leaving:  # of argparse: --help, --version or wrong usage
        return leaving.code if isinstance(leaving.code, int) else _FAILURE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # who reads has seen enough
        with contextlib.suppress(OSError, ValueError):  # stdout need not be a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILURE
    except Exception as error:
        if debug:
            raise
        if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8":
            error = UsageError(f"the input is not UTF-8: {error}")
        print(f"minitransformers: {in_one_line(error)}", file=sys.stderr)
        return _USAGE if isinstance(error, UsageError) else _FAILURE
    return _SUCCESS


def _arguments() -> list[str]:
    """What was typed. Raises UsageError if it is not UTF-8."""
    try:  # a locale without UTF-8 keeps in surrogates what it cannot read
        return [os.fsencode(argument).decode("utf-8") for argument in sys.argv[1:]]
    except UnicodeError as error:
        raise UsageError(f"the arguments are not UTF-8: {error}") from error


def build_parser() -> Parser:
    """The parser of the whole command line."""
    from .. import __version__

    modules = {name: import_module(f".{name}", __name__) for name in COMMANDS}
    parser = Parser(
        prog="minitransformers",
        description="Transformers in pure NumPy: run Hub models without torch.",
        examples=[module.EXAMPLES[0] for module in modules.values()],
    )
    parser.add_argument("--version", action="version", version=__version__)
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, one value a line")
    common.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, module in modules.items():
        command = commands.add_parser(
            name,
            parents=[common],
            help=module.HELP,
            description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
            examples=module.EXAMPLES,
        )
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return parser


def _speak_utf8() -> None:
    """Read and write UTF-8 also where the terminal's code page or the locale says otherwise."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        encoding = str(getattr(stream, "encoding", None) or "").lower().replace("_", "-")
        if encoding != "utf-8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="strict")
