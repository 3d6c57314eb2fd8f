"""Imports of transformers as imports of this package, where all they are used for exists here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .names import PACKAGE, ROOTS, judge
from .scanning import Use, parse
from .sources import Piece, Source, lines_of

_WIDTH = 100


def rewrite(source: Source, uses: list[Use]) -> tuple[str, list[str]]:
    """-> (the new text of the file, imports that are left for hands to change)

    uses: what `scan` found. Only import statements change. A name that is not here stays imported
    from where it was; a module that is used for such a name stays whole.
    """
    absent = {use.name for use in uses if use.status not in ("same", "moved")}
    texts, left = [], []
    for piece in source.pieces:
        edits = []
        for statement in ast.walk(parse(piece.code, source.path)):
            if not isinstance(statement, (ast.Import, ast.ImportFrom)) or not _concerns(statement):
                continue
            new = list(_edits(statement, piece, absent))
            where = f"cell {piece.number}, " if piece.number else ""
            if not new and _wants_change(statement):
                left.append(f"{where}line {statement.lineno}: {ast.unparse(statement)}")
            edits += new
        text = piece.text
        for start, end, new_text in sorted(edits, reverse=True):
            text = text[:start] + new_text + text[end:]
        parse(Piece(text, piece.number).code, f"{source.path}, rewritten")
        texts.append(text)
    return source.replaced(texts), left


def _concerns(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").split(".")[0] in ROOTS
    return any(alias.name.split(".")[0] in ROOTS for alias in node.names)


def _wants_change(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether something of an import that stays as it is exists here."""
    if isinstance(node, ast.ImportFrom):
        found = [judge(f"{node.module}.{alias.name}").status for alias in node.names]
        return any(status in ("same", "moved") for status in found)
    return True


def _edits(
    node: ast.Import | ast.ImportFrom, piece: Piece, absent: set[str]
) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text) of what changes in the text."""
    offsets = _Offsets(piece.text)
    if isinstance(node, ast.ImportFrom):
        yield from _edits_from(node, piece.text, offsets)
        return
    for alias in node.names:
        root, _, rest = alias.name.partition(".")
        if root not in ROOTS:
            continue
        through = alias.name if alias.asname else root
        if any(name.startswith(f"{through}.") for name in absent) or (rest and not alias.asname):
            continue
        target = judge(alias.name).target if rest else PACKAGE
        if target:
            yield *offsets.span(alias), f"{target} as {alias.asname or root}"


def _edits_from(
    node: ast.ImportFrom, text: str, offsets: _Offsets
) -> Iterator[tuple[int, int, str]]:
    start, end = offsets.span(node)
    statement = text[start:end]
    module = node.module or ""
    groups: dict[str, list[ast.alias]] = {}
    for alias in node.names:
        if alias.name == "*":
            target = PACKAGE if module in ROOTS else judge(module).target
            home = target or module
        else:
            verdict = judge(f"{module}.{alias.name}")
            found = verdict.status in ("same", "moved")
            home = verdict.target.rpartition(".")[0] if found else module
        groups.setdefault(home, []).append(alias)
    if list(groups) == [module]:
        return
    if len(groups) == 1:
        name = re.match(r"from[\s\\]+([\w.]+)", statement)
        assert name is not None
        yield start + name.start(1), start + name.end(1), next(iter(groups))
        return
    if "#" in statement:  # its comments belong to names that would part
        return
    line_start = text.rfind("\n", 0, start) + 1
    indent = text[line_start:start]
    alone = not indent.strip() and re.match(r"[ \t]*(#|\r?\n|$)", text[end:])
    newline = "\r\n" if "\r\n" in text else "\n"
    parts = [_statement(home, names, indent if alone else None) for home, names in groups.items()]
    joined = f"\n{indent}".join(parts) if alone else "; ".join(parts)
    yield start, end, joined.replace("\n", newline)


def _statement(module: str, names: list[ast.alias], indent: str | None) -> str:
    """indent: of a statement that may take several lines; None of one that may not"""
    parts = [f"{a.name} as {a.asname}" if a.asname else a.name for a in names]
    line = f"from {module} import {', '.join(parts)}"
    if indent is None or len(indent) + len(line) <= _WIDTH:
        return line
    listed = "".join(f"{indent}    {part},\n" for part in parts)
    return f"from {module} import (\n{listed}{indent})"


class _Offsets:
    """Where the nodes of a syntax tree, whose columns count bytes, are in the text."""

    def __init__(self, text: str):
        self.lines = lines_of(text)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.stmt | ast.alias) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._at(node.lineno, node.col_offset)
        return start, self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        before = self.lines[line - 1].encode()[:column].decode()
        return self.starts[line - 1] + len(before)
