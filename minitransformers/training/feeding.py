"""An epoch's batches, one made ahead of the one in use, and how to come back to them."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any

from .checkpoint import Position, random_streams, set_random_streams


class Feed:
    """The batches of one epoch.

    As in the reference, the next batch is made before the last one is handed out. That matters
    where making batches draws random numbers, as masking does. The states of the random streams are
    kept for the batches that are not trained yet, so that a checkpoint can have them made again.

    loader: an iterable of batches; position: where to continue in the epoch
    streams: the random streams at that position
    """

    def __init__(
        self,
        loader: Any,
        position: Position | None = None,
        streams: dict[str, Any] | None = None,
    ):
        position = position or Position()
        first = position.started or streams
        if first is not None:
            set_random_streams(first)
        self.started = random_streams()
        if position.ended():  # drawing its order once more would move the random streams
            loader = ()
        elif position.batches:
            loader = skip_first_batches(loader, position.batches, position.fetched)
        self._batches = iter(loader)
        self._made: deque[Any] = deque()
        self._states: deque[dict[str, Any]] = deque()  # of the batches that are not trained
        self._make(position.pending)
        if streams is not None and position.started is not None:
            set_random_streams(streams)

    def _make(self, n: int) -> None:
        for _ in range(n):
            state = random_streams()
            try:
                self._made.append(next(self._batches))
            except StopIteration:
                return
            self._states.append(state)

    def take(self, n: int) -> list[Any]:
        """The next n batches, or those that are left."""
        taken = []
        for _ in range(n):
            self._make(2 - len(self._made))
            if not self._made:
                break
            taken.append(self._made.popleft())
        return taken

    def trained(self) -> None:
        """Note that one more batch is trained."""
        self._states.popleft()

    def describe(self, position: Position) -> None:
        """Enter into a position how the batches that are not trained yet can be made again."""
        position.started = self.started
        position.pending = len(self._states)
        position.fetched = self._states[0] if self._states else None


def skip_first_batches(loader: Any, n: int, streams: dict[str, Any] | None = None) -> Any:
    """The loader without its first n batches, which are not even made where that is possible.

    streams: how the random streams are to stand when the first batch is made
    """
    batch_sampler = getattr(loader, "batch_sampler", None)
    if batch_sampler is not None:
        shorter = copy.copy(loader)
        shorter.batch_sampler = _Skipping(batch_sampler, n, streams)
        return shorter
    batches = iter(loader)
    for _ in itertools.islice(batches, n):
        pass
    if streams is not None:
        set_random_streams(streams)
    return batches


class _Skipping:
    """A batch sampler without its first n batches."""

    def __init__(self, batches: Any, n: int, streams: dict[str, Any] | None):
        self.batches, self.n, self.streams = batches, n, streams

    def __len__(self) -> int:
        return max(0, len(self.batches) - self.n)

    def __iter__(self) -> Iterator[Any]:
        order = list(self.batches)  # which may draw random numbers of its own
        if self.streams is not None:
            set_random_streams(self.streams)
        yield from order[self.n :]
