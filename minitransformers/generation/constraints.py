"""Constraints on what a text must contain, and how far a text has come in fulfilling them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Constraint(ABC):
    """Something that beam search must bring about, token by token. Subclass it for your own.

    seqlen: the most tokens it takes
    """

    seqlen: int

    @abstractmethod
    def advance(self) -> int | list[int] | None:
        """The token, or tokens, that would bring it forward now."""

    @abstractmethod
    def does_advance(self, token_id: int) -> bool:
        """Whether this token would."""

    @abstractmethod
    def update(self, token_id: int) -> tuple[bool, bool, bool]:
        """Take a token in. -> (it came forward, it is fulfilled, it fell back to the start)"""

    @abstractmethod
    def reset(self) -> None:
        """Fall back to the start."""

    @abstractmethod
    def remaining(self) -> int:
        """How many tokens are still missing."""

    @abstractmethod
    def copy(self, stateful: bool = False) -> Any:
        """One of the same kind, at the start or (stateful) as far along."""


class PhrasalConstraint(Constraint):
    """These tokens in this order. token_ids: non-empty, non-negative. Raises ValueError."""

    def __init__(self, token_ids: list[int]):
        _check(token_ids, "token_ids")
        self.token_ids = token_ids
        self.seqlen = len(token_ids)
        self.matched = 0

    def advance(self) -> int | None:
        return None if self.matched == self.seqlen else self.token_ids[self.matched]

    def does_advance(self, token_id: int) -> bool:
        return self.matched < self.seqlen and token_id == self.token_ids[self.matched]

    def update(self, token_id: int) -> tuple[bool, bool, bool]:
        if self.does_advance(token_id):
            self.matched += 1
            return True, self.matched == self.seqlen, False
        self.reset()
        return False, False, True

    def reset(self) -> None:
        self.matched = 0

    def remaining(self) -> int:
        return self.seqlen - self.matched

    def copy(self, stateful: bool = False) -> PhrasalConstraint:
        other = PhrasalConstraint(self.token_ids)
        other.matched = self.matched if stateful else 0
        return other


class DisjunctiveConstraint(Constraint):
    """One of several phrases, none of which begins another. Raises ValueError."""

    def __init__(self, nested_token_ids: list[list[int]]):
        if not isinstance(nested_token_ids, list) or not nested_token_ids:
            raise ValueError(
                f"`nested_token_ids` has to be a non-empty list, but is {nested_token_ids}."
            )
        for token_ids in nested_token_ids:
            _check(token_ids, "nested_token_ids", nested_token_ids)
        self.token_ids = nested_token_ids
        self.trie: dict = {}
        for token_ids in nested_token_ids:
            level = self.trie
            for token in token_ids:
                level = level.setdefault(token, {})
        if _leaves(self.trie) != len(nested_token_ids):
            raise ValueError(
                "Each list in `nested_token_ids` can't be a complete subset of another list, but "
                f"is {nested_token_ids}."
            )
        self.seqlen = max(map(len, nested_token_ids))
        self.matched: list[int] = []
        self.completed = False

    def _next(self) -> dict:
        level = self.trie
        for token in self.matched:
            level = level[token]
        return level

    def advance(self) -> list[int] | None:
        return list(self._next()) or None

    def does_advance(self, token_id: int) -> bool:
        return token_id in self._next()

    def update(self, token_id: int) -> tuple[bool, bool, bool]:
        if self.does_advance(token_id):
            self.matched.append(token_id)
            self.completed = not self._next()
            return True, self.completed, False
        self.reset()
        return False, False, True

    def reset(self) -> None:
        self.matched, self.completed = [], False

    def remaining(self) -> int:
        return 0 if self.completed else self.seqlen - len(self.matched)

    def copy(self, stateful: bool = False) -> DisjunctiveConstraint:
        other = DisjunctiveConstraint(self.token_ids)
        if stateful:
            # the very list, not a copy: the reference weighs candidates with this sharing, and
            # others would win without it
            other.matched, other.completed = self.matched, self.completed
        return other


def _check(token_ids: Any, name: str, whole: Any = None) -> None:
    shown = token_ids if whole is None else whole
    if not isinstance(token_ids, list) or not token_ids:
        raise ValueError(f"`{name}` has to be a non-empty list, but is {shown}.")
    if any(not isinstance(token, int) or token < 0 for token in token_ids):
        raise ValueError(f"`{name}` has to be of non-negative integers, but is {shown}.")


def _leaves(trie: dict) -> int:
    return sum(map(_leaves, trie.values())) if trie else 1


class Progress:
    """How far a text has come with several constraints. At most one is in progress at a time."""

    def __init__(self, constraints: list[Constraint]):
        self.constraints = constraints
        self.longest = max(c.seqlen for c in constraints)
        self.complete = 0
        self.current: Constraint | None = None
        self.pending = [c.copy() for c in constraints]

    @classmethod
    def of(cls, constraints: list[Constraint], ids: list[int]) -> Progress:
        """Of a whole text."""
        progress = cls(constraints)
        for token in ids:
            progress.add(token)
            if progress.completed:
                break
        return progress

    @property
    def completed(self) -> bool:
        return not self.pending and self.current is None

    def bank(self) -> int:
        """Tokens fulfilled, a constraint counting as much as the longest."""
        ahead = self.longest - self.current.remaining() if self.current is not None else 0
        return self.complete * self.longest + ahead

    def advance(self) -> list[int]:
        """The tokens that would bring it forward."""
        tokens: list[int] = []
        for constraint in self.pending if self.current is None else [self.current]:
            ahead = constraint.advance()
            tokens += [] if ahead is None else ahead if isinstance(ahead, list) else [ahead]
        return tokens

    def add(self, token: int) -> None:
        """Take a token in."""
        if self.completed:
            return
        if self.current is not None:
            _, complete, fell_back = self.current.update(token)
            if fell_back:
                self.pending.append(self.current.copy())
                self.current = None
            if complete:
                self.complete += 1
                self.current = None
            return
        for i, constraint in enumerate(self.pending):
            if constraint.does_advance(token):
                _, complete, _ = constraint.update(token)
                del self.pending[i]
                if complete:
                    self.complete += 1
                else:
                    self.current = constraint
                return

    def copy(self) -> Progress:
        other = Progress(self.constraints)
        other.complete = self.complete
        other.current = None if self.current is None else self.current.copy(stateful=True)
        other.pending = [c.copy() for c in self.pending]
        return other
