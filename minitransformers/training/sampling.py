"""The order in which rows are drawn from a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core.random import Generator, default_generator


class SeedableRandomSampler:
    """A shuffle that follows from a seed and the number of the epoch alone.

    dataset: anything with a length; set_epoch(n) chooses the epoch, which counts up by itself
    """

    def __init__(self, dataset: Any, seed: int):
        self.dataset, self.seed, self.epoch = dataset, seed, 0

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        order = Generator(self.seed + self.epoch).randperm(len(self.dataset))
        yield from order.tolist()
        self.set_epoch(self.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch


class LengthGroupedSampler:
    """A shuffle that keeps rows of like length together, the longest batch first.

    batch_size: rows of a batch; lengths: of the rows, by default those of `model_input_name`
    generator: what draws, by default the default generator
    Raises ValueError if lengths can neither be had nor found.
    """

    def __init__(
        self,
        batch_size: int,
        dataset: Any = None,
        lengths: Sequence[int] | None = None,
        model_input_name: str | None = None,
        generator: Generator | None = None,
    ):
        if dataset is None and lengths is None:
            raise ValueError("One of dataset and lengths must be provided.")
        if lengths is None:
            name = model_input_name or "input_ids"
            if not hasattr(dataset[0], "keys") or name not in dataset[0]:
                raise ValueError(
                    f"lengths can be found for rows that are dictionaries with {name!r} only; pass "
                    "them, or name the column that holds them in length_column_name"
                )
            lengths = [len(dataset[i][name]) for i in range(len(dataset))]
        self.batch_size, self.generator = batch_size, generator
        self.lengths = [int(length) for length in lengths]

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, None, self.generator))


def get_length_grouped_indices(
    lengths: Sequence[int],
    batch_size: int,
    mega_batch_mult: int | None = None,
    generator: Generator | None = None,
) -> list[int]:
    """Shuffle, then sort by length, the longest first, within pieces of several batches.

    mega_batch_mult: batches of a piece; by default 50, or as many as make four pieces
    -> the rows' indices; the longest row of all comes first, so that memory runs out at once or
    not at all
    """
    if mega_batch_mult is None:
        mega_batch_mult = min(len(lengths) // (batch_size * 4), 50) or 1
    order = (generator or default_generator).randperm(len(lengths)).tolist()
    size = mega_batch_mult * batch_size
    pieces = [
        sorted(order[i : i + size], key=lambda row: lengths[row], reverse=True)
        for i in range(0, len(order), size)
    ]
    longest = int(np.argmax([lengths[piece[0]] for piece in pieces]))
    pieces[0][0], pieces[longest][0] = pieces[longest][0], pieces[0][0]
    return [row for piece in pieces for row in piece]
