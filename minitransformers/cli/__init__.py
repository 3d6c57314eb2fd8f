"""The command line: `minitransformers generate "Once upon a time"`. One file a command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

# Files of this package, in the order of --help. Each has HELP, add_arguments(parser), run(options).
COMMANDS = ("generate", "classify", "info", "convert")
EXAMPLES = """examples:
  minitransformers generate "To be, or not" --max-new-tokens 40 --sample --seed 1
  minitransformers classify "What a lovely day!" --model org/name
  echo "First line" | minitransformers classify --json
  minitransformers info ./my-model
  minitransformers convert model.Q4_K_M.gguf ./my-model --dtype bfloat16
"""
_ERRORS = (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. -> 0 on success, 1 if it failed, 2 for wrong usage"""
    options = _parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        if options.threads:
            from ..core.threads import set_num_threads

            set_num_threads(options.threads)
        options.command(options)
    except _ERRORS as error:
        if options.debug:
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"minitransformers: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = argparse.ArgumentParser(
        prog="minitransformers",
        description="Transformers in pure NumPy: run Hub models without torch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, one value a line")
    common.add_argument("--revision", help="branch, tag or commit of a Hub repo")
    common.add_argument("--threads", type=int, help="threads that compute (default: the CPU quota)")
    common.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f".{name}", __name__)
        command = commands.add_parser(name, parents=[common], help=module.HELP)
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return parser
