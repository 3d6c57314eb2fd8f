"""Docstrings as Markdown: `name: what it is` and `-> (axes)` are lines of their own."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ITEM = re.compile(r"^([\w*`]+(?:, [\w*`]+)*): (?=\S)|^(->) ")


def as_markdown(text: str) -> str:
    """Lines that begin an argument or the result become items; indented ones continue them."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found:
            if not inside and lines and lines[-1]:
                lines.append("")
            name = f"`{found[1]}`: " if found[1] else "returns "
            lines.append(f"- {name}{_escaped(line[found.end() :])}")
            inside = True
        elif inside and line.startswith("    "):
            lines.append(f"    {_escaped(line.strip())}  ")
        else:
            if inside and line.strip():
                lines.append("")
            inside = False
            lines.append(_escaped(line))
    return "\n".join(lines)


def _escaped(line: str) -> str:
    """Brackets are no links and no tags; what stands in backticks stays."""
    parts = re.split(r"(`[^`]*`)", line)
    parts[::2] = [re.sub(r"[<\[]", lambda m: "\\" + m[0], part) for part in parts[::2]]
    return "".join(parts)


class Readable(griffe.Extension):
    """Turns every docstring of the package into Markdown."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
