"""Regular expressions that strangers wrote, matched in bounded time.

An adapter's configuration holds regular expressions for names of modules. Python's matcher tries
alternatives one after the other, so that "(a+)+b" takes longer than anybody waits. Here a part of
an expression is a function from all positions where it may start to all where a match of it can end
(Thompson 1968), both the bits of a number: the time is polynomial in the lengths of expression and
name, and an expression that still takes too long is refused.
"""

from __future__ import annotations

import functools
import importlib
import operator
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

# the parser of the standard library, which moved
_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

_LONGEST = 10_000  # characters of an expression
_MOST_REPEATS = 1_000  # that an expression may demand
_MOST_STEPS = 20_000  # of matching one name: some milliseconds
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda c: c.isalnum() or c == "_",
}

Ends = Callable[[int], int]  # bits of where a match may start -> of where it may end


def fullmatch(pattern: str, text: str) -> bool:
    """Whether re.fullmatch(pattern, text) finds something, found out in bounded time.

    Raises ValueError for what is no regular expression, has back references, conditions, flags or
    looks behind, or is too complicated.
    """
    try:
        return bool(_Matcher(pattern, text).sequence(_parse(pattern))(1) >> len(text))
    except RecursionError:
        raise ValueError(f"{pattern[:40]!r}... is nested too deeply for a pattern") from None


@functools.lru_cache(maxsize=256)
def _parse(pattern: str) -> Any:
    if len(pattern) > _LONGEST:
        raise ValueError(f"the regular expression {pattern[:40]!r}... is too long to be a pattern")
    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    if parsed.state.flags & ~re.UNICODE:
        raise ValueError(f"{pattern!r}: flags inside a regular expression are not supported")
    return parsed


class _Matcher:
    """Turns the parts of an expression into functions from starts to ends within `text`."""

    def __init__(self, pattern: str, text: str):
        self.pattern, self.text, self.steps = pattern, text, 0
        self.places: dict[str, int] = {}  # character -> bits of where it stands
        for i, character in enumerate(text):
            self.places[character] = self.places.get(character, 0) | 1 << i

    def count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > _MOST_STEPS:
            raise ValueError(f"{self.pattern[:40]!r}... is too complicated for a pattern")

    def _where(self, holds: Callable[[int], bool]) -> int:
        """The bits of the positions where something holds, the one after the text among them."""
        return sum(1 << i for i in range(len(self.text) + 1) if holds(i))

    def sequence(self, items: Iterable) -> Ends:
        steps = [self.item(str(code), value) for code, value in items]

        def ends(starts: int) -> int:
            for step in steps:
                if not starts:
                    break
                self.count(1)
                starts = step(starts)
            return starts

        return ends

    def item(self, code: str, value: Any) -> Ends:
        if code in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY"):
            return self._character(code, value)
        if code == "BRANCH":
            branches = [self.sequence(branch) for branch in value[1]]
            return lambda starts: _union(branch(starts) for branch in branches)
        if code == "SUBPATTERN":
            _, added, removed, items = value
            if not added and not removed:
                return self.sequence(items)
        if code in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(*value)
        if code in ("ASSERT", "ASSERT_NOT") and value[0] > 0:
            ahead, wanted = self.sequence(value[1]), code == "ASSERT"
            return lambda starts: self._where(
                lambda i: bool(starts >> i & 1) and bool(ahead(1 << i)) == wanted
            )
        if code == "AT":
            return lambda starts: starts & self._where(lambda i: self._is_at(str(value), i))
        raise ValueError(f"a regular expression with {code.lower()} is not supported")

    def _character(self, code: str, value: Any) -> Ends:
        if code == "LITERAL":
            places = self.places.get(chr(value), 0)
        else:
            self.count(len(self.places))
            places = _union(at for c, at in self.places.items() if _fits(code, value, c))
        return lambda starts: (starts & places) << 1

    def _repeat(self, least: int, most: Any, items: Iterable) -> Ends:
        once = self.sequence(items)
        longest = len(self.text) + least  # what can still move on, whatever the expression allows
        limit = longest if most == _parser.MAXREPEAT else min(most, longest)
        if least > _MOST_REPEATS:
            raise ValueError(f"a regular expression repeats something {least} times: too often")

        def ends(starts: int) -> int:
            found = 0
            for n in range(limit + 1):
                if n >= least:  # what took fewer repeats may go on as far
                    starts &= ~found
                    found |= starts
                if not starts:
                    break
                starts = once(starts)
            return found

        return ends

    def _is_at(self, kind: str, position: int) -> bool:
        if kind in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
            return position == 0
        if kind == "AT_END_STRING":
            return position == len(self.text)
        if kind == "AT_END":
            return self.text[position:] in ("", "\n")
        word = [
            0 <= i < len(self.text) and _fits("CATEGORY", "CATEGORY_WORD", self.text[i])
            for i in (position - 1, position)
        ]
        return (word[0] != word[1]) == (kind == "AT_BOUNDARY")


def _union(masks: Iterable[int]) -> int:
    return functools.reduce(operator.or_, masks, 0)


def _fits(code: str, value: Any, character: str) -> bool:
    """Whether a part of an expression that stands for one character stands for this one."""
    if code == "ANY":
        return character != "\n"
    if code in ("LITERAL", "NOT_LITERAL"):
        return (ord(character) == value) == (code == "LITERAL")
    if code == "RANGE":
        return value[0] <= ord(character) <= value[1]
    if code == "CATEGORY":
        name = str(value)
        plain = name.replace("_NOT_", "_")
        return _CATEGORIES[plain](character) == (name == plain)
    negated = str(value[0][0]) == "NEGATE"
    return any(_fits(str(c), v, character) for c, v in value[negated:]) != negated
