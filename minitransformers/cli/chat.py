"""`minitransformers chat`: what is typed is answered, until it ends.

The same lines do the same when they are piped in, without prompts; an error then ends the command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import common

if TYPE_CHECKING:
    from .conversation import Conversation

HELP = "talk with a model in the terminal"
EXAMPLES = (
    "minitransformers chat",
    'minitransformers chat --model ./my-model.gguf --system "You answer in one sentence."',
    "printf 'Hello!\\nAnd in French?\\n' | minitransformers chat --json",
)
_COMMANDS = """\
/system TEXT    what the model is told before the conversation; without TEXT, nothing
/set NAME=VALUE a parameter of the generation, as temperature=0.7; alone, shows them
/clear          forget the conversation, keep the system prompt
/save FILE      write the conversation as JSON
/load FILE      read one
/help           this text
/exit           leave, as Ctrl-D does
A line that ends in \\ goes on with the next one; lines between two lines of \"\"\" are one message.
A message that begins with / is written with //. Ctrl-C stops an answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="HuggingFaceTB/SmolLM2-135M-Instruct",
        help="folder, Hub id or .gguf file (default: %(default)s)",
    )
    parser.add_argument("--system", metavar="TEXT", help="what the model is told first")
    parser.add_argument("--load", metavar="FILE", help="begin with a saved conversation")
    parser.add_argument(
        "--chat-template", metavar="FILE", help="Jinja template, for a tokenizer that has none"
    )
    common.add_model_options(parser)
    common.add_generation_options(parser, max_new_tokens=512)


def run(options: argparse.Namespace) -> None:
    from ..core.random import set_seed
    from .conversation import Conversation

    parameters = common.generation_parameters(options)
    chat = Conversation.open(
        options.model,
        keywords=common.where(options) | common.precision(options),
        template=_read(options.chat_template),
        parameters=parameters,
    )
    if options.load:
        chat.load(options.load)
    if options.system is not None:
        chat.system(options.system)
    if options.seed is not None:
        set_seed(options.seed)
    interactive = sys.stdin.isatty()
    if interactive:
        print(f"{options.model}: /help lists commands, Ctrl-D ends", file=sys.stderr)
    for message in _messages(interactive):
        try:
            if message.startswith("/") and not message.startswith("//"):
                if message.split()[0] in ("/exit", "/quit"):
                    break
                _obey(chat, message)
            elif message.strip():
                _answer(chat, message.removeprefix("/"), options.json, interactive)
        except Exception as error:  # a template's refusal, a value that cannot be: try another
            if not interactive:
                raise
            print(f"minitransformers: {common.in_one_line(error)}", file=sys.stderr)


def _read(path: str | None) -> str | None:
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def _messages(interactive: bool) -> Iterator[str]:
    """What is typed, a message at a time: lines are joined as `_COMMANDS` says."""
    if interactive:
        with contextlib.suppress(ImportError):  # where there is one, lines can be edited
            import readline  # noqa: F401
    lines: list[str] = []
    quoted = False
    while (line := _line("... " if lines or quoted else ">>> ", interactive)) is not None:
        if line.strip() == '"""':
            quoted = not quoted
        elif quoted:
            lines.append(line)
        elif line.endswith("\\"):
            lines.append(line[:-1])
            continue
        else:
            lines.append(line)
        if not quoted:
            yield "\n".join(lines)
            lines = []
    if lines:  # the input ended before they did
        yield "\n".join(lines)


def _line(prompt: str, interactive: bool) -> str | None:
    """The next line, None at the end."""
    if not interactive:
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None
    try:
        return input(prompt)
    except EOFError:
        print()
        return None


def _answer(chat: Conversation, message: str, as_json: bool, interactive: bool) -> None:
    """Say something and print the answer, as it is made unless it is to be JSON."""
    try:
        answer = chat.say(message, stream=not as_json)
    except KeyboardInterrupt:
        if not interactive:
            raise
        print("\n(stopped; the question is forgotten)", file=sys.stderr)
        return
    if as_json:
        common.print_json(answer)


def _obey(chat: Conversation, line: str) -> None:
    name, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    if name in ("save", "load") and not rest:
        raise ValueError(f"/{name} needs the name of a file")
    if name == "clear":
        chat.clear()
    elif name == "system":
        chat.system(rest)
    elif name == "save":
        chat.save(os.path.expanduser(rest))
    elif name == "load":
        chat.load(os.path.expanduser(rest))
    elif name == "set" and rest:
        _set(chat.parameters, rest)
    elif name == "set":
        print(" ".join(f"{n}={x}" for n, x in chat.parameters.items()), file=sys.stderr)
    elif name == "help":
        print(_COMMANDS, file=sys.stderr)
    else:
        raise ValueError(f"there is no command /{name}; /help lists them, // begins a message")


def _set(parameters: dict[str, Any], text: str) -> None:
    for part in text.split():
        name, value = common.parse_setting(part)
        parameters[name] = value
        if name in common.OF_SAMPLING:
            parameters["do_sample"] = True
