"""Whether windows over a text can advance: asked before the Rust code panics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Truncation(NamedTuple):
    """Everything that decides where an encoding is cut."""

    max_length: int
    stride: int
    strategy: str
    direction: str


def check_stride(
    truncation: Truncation,
    pairs: Sequence[tuple[Any, Any]],
    count: Callable[[list[Any]], list[int]],
    added: Callable[[bool], int],
) -> None:
    """Raise ValueError if a row would be cut to windows that `stride` fills.

    pairs: (text, second text or None), one a row. count: texts -> how many tokens each has.
    added: whether it is a pair -> how many special tokens stand around it.
    Counts only the texts that decide, which for `only_second` are the first ones.
    """
    single_budget = truncation.max_length - added(False)
    if 0 < single_budget <= truncation.stride:
        texts = [text for text, second in pairs if second is None]
        for length in count(texts):
            _check(truncation, length, single_budget)
    budget = truncation.max_length - added(True)
    rows = [pair for pair in pairs if pair[1] is not None]
    if budget <= 0 or not rows:
        return
    if truncation.strategy == "longest_first":
        firsts, seconds = (count([pair[side] for pair in rows]) for side in (0, 1))
        for lengths in zip(firsts, seconds):
            for length, target in zip(lengths, _shares(*lengths, budget)):
                _check(truncation, length, target)
        return
    cut = 0 if truncation.strategy == "only_first" else 1
    kept = count([pair[1 - cut] for pair in rows])
    narrow = [
        (pair[cut], budget - length)
        for pair, length in zip(rows, kept)
        if 0 < budget - length <= truncation.stride
    ]
    for length, (_, target) in zip(count([text for text, _ in narrow]), narrow):
        _check(truncation, length, target)


def _shares(first: int, second: int, budget: int) -> tuple[int, int]:
    """Return what `longest_first` leaves of two texts: the shorter one is spared if possible."""
    if first + second <= budget:
        return first, second
    shorter, longer = min(first, second), max(first, second)
    longer = shorter if shorter > budget else max(shorter, budget - shorter)
    if shorter + longer > budget:
        shorter = budget // 2
        longer = shorter + budget % 2
    return (shorter, longer) if first <= second else (longer, shorter)


def _check(truncation: Truncation, length: int, target: int) -> None:
    if 0 < target < length and truncation.stride >= target:
        raise ValueError(
            f"stride={truncation.stride} is too large: max_length={truncation.max_length} leaves "
            f"only {target} tokens for a text of {length}, so windows could not advance."
        )
