"""Many inputs in one pass of the model: which go together, how they are padded, who gets what."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

# What stands beside the tokens of a shorter input; what is not named is filled with 0.
_FILL = {"p_mask": 1, "special_tokens_mask": 1}


def windows(items: Iterable, size: int) -> Iterator[list]:
    """Cut a stream into lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while window := list(itertools.islice(iterator, size)):
        yield window


def length(part: Any) -> int:
    """How many tokens an input has."""
    ids = part.get("input_ids") if hasattr(part, "get") else None
    return ids.shape[1] if isinstance(ids, np.ndarray) and ids.ndim > 1 else 0


def plan(parts: list, size: int, kind: Callable[[Any], Any], ordered: bool) -> Iterator[list[int]]:
    """Which inputs go together, as lists of their indices.

    kind: inputs of different kinds are kept apart; ordered: keep the order, else sort by length, so
    that little is padded
    """
    groups: dict[Any, list[int]] = {}
    for index, part in enumerate(parts):
        groups.setdefault((tuple(sorted(part)), kind(part)), []).append(index)
    for members in groups.values():
        if not ordered:
            members.sort(key=lambda index: length(parts[index]))
        yield from windows(members, size)


def collate(parts: list, pad: int | None, side: str) -> Any:
    """Put inputs together: arrays (1, seq, ...) into (batch, longest, ...), the rest into lists.

    A single input stays as it is. Raises ValueError if padding is needed and there is no token.
    """
    if len(parts) == 1:
        return parts[0]
    batch: dict[str, Any] = {}
    for name in parts[0]:
        column = [part[name] for part in parts]
        if not isinstance(column[0], np.ndarray):
            batch[name] = column
        elif len({x.shape[1:] for x in column}) == 1:
            batch[name] = np.concatenate(column)
        else:
            fill = pad if name == "input_ids" else _FILL.get(name, 0)
            batch[name] = _pad(column, fill, side)
    return batch


def _pad(column: list[np.ndarray], fill: int | None, side: str) -> np.ndarray:
    if fill is None:
        raise ValueError(
            "inputs of different lengths need a padding token to go in one batch, and the "
            "tokenizer has none: set one, for example `pipe.tokenizer.pad_token_id = "
            "pipe.model.config.eos_token_id`, or leave batch_size out"
        )
    first, longest = column[0], max(x.shape[1] for x in column)
    rows = sum(len(x) for x in column)
    out = np.full((rows, longest, *first.shape[2:]), fill, first.dtype)
    row = 0
    for x in column:
        places = slice(longest - x.shape[1], None) if side == "left" else slice(x.shape[1])
        out[row : row + len(x), places] = x
        row += len(x)
    return out


def split(outputs: Any, count: int) -> list:
    """Undo `collate` on what the model returned: one output for each input, its batch axis kept."""
    if count == 1:
        return [outputs]
    return [_row(outputs, row, count) for row in range(count)]


def _row(x: Any, row: int, count: int) -> Any:
    if isinstance(x, dict):
        fields = {name: _row(value, row, count) for name, value in x.items()}
        return fields if type(x) is dict else type(x)(fields)
    if isinstance(x, np.ndarray):
        return x[row : row + 1]
    if isinstance(x, tuple):  # one array a layer
        return tuple(_row(layer, row, count) for layer in x)
    return x[row] if isinstance(x, list) and len(x) == count else x
