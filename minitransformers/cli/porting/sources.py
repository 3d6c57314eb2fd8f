"""Scripts and notebooks as pieces of Python that know where they come from."""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
import re
import shutil
import tokenize
from dataclasses import dataclass, field
from typing import Any

from ...checkpoints.files import replacing

# Lines that only a notebook understands: %magic, !command, name?, x = !command
_MAGIC = re.compile(r"(\s*)(?:[%!?]|\S.*\?\s*$|[\w, ]+=\s*[%!])")


def lines_of(text: str) -> list[str]:
    """The lines with their ends, where Python ends them (str.splitlines knows more places)."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


@dataclass
class Piece:
    """A script, or a code cell of a notebook. number: the cell's among all, from 1; None: a script

    text: as it is in the file; code: the same lines without what only a notebook understands
    """

    text: str
    number: int | None = None

    @property
    def code(self) -> str:
        if self.number is None:
            return self.text
        with contextlib.suppress(SyntaxError, ValueError):
            ast.parse(self.text)
            return self.text
        lines = lines_of(self.text)
        if lines and re.match(r"\s*%%(?!time|capture|timeit|prun)", lines[0]):
            return ""  # of another language
        return "".join(_without_magic(line) for line in lines)


def _without_magic(line: str) -> str:
    found = _MAGIC.match(line)
    return f"{found[1]}pass\n" if found else line


@dataclass
class Source:
    """A file of code. raw: as it is on disk; encoding: of a script, which may say it itself"""

    path: str
    raw: str
    pieces: list[Piece]
    encoding: str = "utf-8"
    notebook: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def replaced(self, texts: list[str]) -> str:
        """The file with other texts in its pieces."""
        if self.notebook is None:
            return texts[0]
        notebook = json.loads(self.raw)
        for piece, text in zip(self.pieces, texts):
            if text != piece.text:
                assert piece.number is not None
                cell = notebook["cells"][piece.number - 1]
                as_lines = isinstance(cell["source"], list)
                cell["source"] = lines_of(text) if as_lines else text
        return _dumped(notebook, self.raw)

    def diff(self, new: str) -> str:
        """What changes, as a unified diff."""
        name = os.path.basename(self.path)
        names = f"a/{name}", f"b/{name}"
        lines = list(difflib.unified_diff(lines_of(self.raw), lines_of(new), *names))
        ends = ["" if line.endswith("\n") else "\n\\ No newline at end of file\n" for line in lines]
        return "".join(line + end for line, end in zip(lines, ends))

    def write(self, new: str) -> str:
        """Replace the file, and leave the difference beside it. -> the name of the latter"""
        left = f"{self.path}.diff"
        for path, text in ((left, self.diff(new)), (self.path, new)):
            with replacing(path) as partial:
                with open(partial, "w", encoding=self.encoding, newline="") as file:
                    file.write(text)
                shutil.copymode(self.path, partial)
        return left


def read_source(path: str) -> Source:
    """Read a .py or .ipynb file. Raises ValueError for what is neither."""
    if not path.endswith(".ipynb"):
        try:
            with open(path, "rb") as binary:
                encoding, _ = tokenize.detect_encoding(binary.readline)
            with open(path, encoding=encoding, newline="") as file:
                text = file.read()
        except (SyntaxError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no Python source: {error}") from None
        return Source(path, text, [Piece(text)], encoding)
    with open(path, encoding="utf-8", newline="") as file:
        raw = file.read()
    try:
        notebook = json.loads(raw)
        pieces = [
            Piece(text if isinstance(text, str) else "".join(text), number)
            for number, cell in enumerate(notebook["cells"], 1)
            if cell["cell_type"] == "code"
            for text in (cell["source"],)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no notebook of format 4: {error!r}") from None
    notes = [
        f"cell {p.number}: pip install minitransformers, in place of transformers and torch"
        for p in pieces
        if re.search(r"^\s*[!%]\s*pip3? install .*\b(transformers|torch)\b", p.text, re.MULTILINE)
    ]
    return Source(path, raw, pieces, notebook=notebook, notes=notes)


def _dumped(notebook: dict[str, Any], raw: str) -> str:
    """JSON in the style of the file, so that only what changes is changed."""
    original, end = json.loads(raw), raw[len(raw.rstrip()) :]
    styles: list[dict[str, Any]] = [
        {"indent": indent, "ensure_ascii": ascii_only}
        for indent in (1, 2, 4, None, "\t")
        for ascii_only in (False, True)
    ]
    fits = (s for s in styles if json.dumps(original, **s) == raw.rstrip().replace("\r\n", "\n"))
    text = json.dumps(notebook, **next(fits, styles[0])) + end
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in raw else text
