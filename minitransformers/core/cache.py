"""The key/value cache of a decoder: the only one.

Keys and values live in preallocated buffers and are handed out as views; appending copies the new
positions only. A cache given back by a model behaves as a value: passing it in again leaves it as
it was, because the continuation (`fork`) writes behind its end or, where that is taken, moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import ops
from .primitive import Tensor

_STEP = 256  # positions beyond its window that a layer keeps, for `crop`
_ROOM = 64  # positions a buffer has room for at least, if no length to reserve is known


class _Buffer:
    """Storage of one layer, perhaps shared by several caches. used: positions written so far"""

    __slots__ = ("k", "shared", "used", "v")

    def __init__(self, k: np.ndarray, v: np.ndarray, used: int = 0):
        self.k, self.v, self.used, self.shared = k, v, used, False

    def moved(self, rows: Any, start: int, stop: int, capacity: int) -> _Buffer:
        """A private copy of the slots from `start` to `stop` of the rows `rows`."""
        k, v = (_allocate(x[rows], capacity) for x in (self.k, self.v))
        n = stop - start
        k[:, :, :n], v[:, :, :n] = self.k[rows, :, start:stop], self.v[rows, :, start:stop]
        return _Buffer(k, v, n)


def _capacity(needed: int, reserve: int) -> int:
    """Positions to allocate. Growing by half keeps copies rare; more at once would be memory that
    the system hands out in large pages, whether or not a sequence gets that long."""
    roomy = needed + max(_ROOM, needed // 2)
    return min(roomy, reserve) if reserve >= needed else roomy


def _allocate(like: np.ndarray, capacity: int) -> np.ndarray:
    batch, heads, _, head_dim = like.shape
    return np.empty((batch, heads, capacity, head_dim), like.dtype)


class _Layer:
    """Keys and values of one attention layer: (batch, kv_heads, length, head_dim) each.

    length: positions seen; forgotten: how many of them no later query can see, dropped when the
    buffer was full. A layer without a window forgets none.
    """

    __slots__ = ("buffer", "forgotten", "length", "traced")

    def __init__(self) -> None:
        self.buffer: _Buffer | None = None
        self.length = self.forgotten = 0
        self.traced: tuple[Any, Any] | None = None  # keys and values under differentiation

    def append(self, k: Any, v: Any, reserve: int, window: int | None) -> tuple[Any, Any]:
        new = k.shape[2]
        if type(k) is Tensor or type(v) is Tensor or self.traced is not None:
            k, v = self._append_traced(k, v)
        else:
            k, v = self._append(k, v, reserve, window)
        first = 0 if window is None else max(0, k.shape[2] - (window - 1 + new))
        return (k[:, :, first:], v[:, :, first:]) if first else (k, v)

    def _append(self, k: Any, v: Any, reserve: int, window: int | None) -> tuple[Any, Any]:
        buffer, new = self.buffer, k.shape[2]
        if window is not None:
            reserve = min(reserve, window + 2 * _STEP)
        start = self.length - self.forgotten
        if buffer is None:
            capacity = _capacity(new, reserve)
            buffer = _Buffer(_allocate(k, capacity), _allocate(v, capacity))
        elif start + new > buffer.k.shape[2] or buffer.used != start:
            # one step more than the window is kept, for `crop`
            drop = 0 if window is None else max(0, start - window - _STEP)
            kept = start - drop
            capacity = _capacity(kept + new, reserve)
            buffer = buffer.moved(slice(None), drop, start, capacity)
            self.forgotten, start = self.forgotten + drop, kept
        end = start + new
        buffer.k[:, :, start:end], buffer.v[:, :, start:end] = k, v
        buffer.used, self.length, self.buffer = end, self.length + new, buffer
        return buffer.k[:, :, :end], buffer.v[:, :, :end]

    def _append_traced(self, k: Any, v: Any) -> tuple[Any, Any]:
        new = k.shape[2]
        if self.length:
            k, v = (ops.concatenate(old, x, axis=2) for old, x in zip(self.pair(), (k, v)))
        self.traced, self.length = (k, v), self.length + new
        return k, v

    def pair(self) -> tuple[Any, Any]:
        if self.traced is not None:
            return self.traced
        assert self.buffer is not None
        used = self.length - self.forgotten
        return self.buffer.k[:, :, :used], self.buffer.v[:, :, :used]

    def fork(self) -> _Layer:
        other = _Layer()
        other.buffer, other.traced = self.buffer, self.traced
        other.length, other.forgotten = self.length, self.forgotten
        if self.buffer is not None:
            self.buffer.shared = True
        return other

    def crop(self, length: int) -> None:
        if length >= self.length:
            return
        if self.forgotten and length < self.length - _STEP:
            raise ValueError(
                f"a cache of {self.length} positions cannot be cropped to {length}: its layers "
                f"with a window have forgotten {self.forgotten} positions"
            )
        self.length = length
        if self.buffer is not None and not self.buffer.shared:
            self.buffer.used = length - self.forgotten

    def select(self, rows: np.ndarray, start: int) -> None:
        assert self.buffer is not None
        buffer, length = self.buffer, self.length - self.forgotten
        start = max(0, start - self.forgotten)
        if buffer.shared or len(rows) != len(buffer.k):
            self.buffer = buffer.moved(rows, 0, length, buffer.k.shape[2])
            return
        changed = np.flatnonzero(rows != np.arange(len(rows)))
        source = rows[changed]
        for x in (buffer.k, buffer.v):
            x[changed, :, start:length] = x[source, :, start:length]


def _stacked(parts: list[np.ndarray], length: int) -> np.ndarray:
    """The last `length` positions of arrays (rows, heads, n, head_dim), zeros before short ones."""
    rows = sum(len(x) for x in parts)
    out = np.zeros((rows, parts[0].shape[1], length, parts[0].shape[3]), parts[0].dtype)
    at = 0
    for x in parts:
        n = min(x.shape[2], length)
        out[at : at + len(x), :, length - n :] = x[:, :, x.shape[2] - n :]
        at += len(x)
    return out


class KVCache:
    """Keys and values of every layer, for self-attention and for cross-attention.

    A sequence as the reference's: `cache[i]` is (keys, values) of layer i, each (batch, kv_heads,
    length, head_dim), followed by the cross-attention's pair where the model has one.

    reserve: positions that will be needed at most (a hint; the cache grows beyond)
    """

    def __init__(self, reserve: int = 0):
        self.reserve = reserve
        self.layers: list[_Layer] = []
        self.source: dict[int, tuple[Any, Any]] = {}

    @classmethod
    def from_legacy(cls, layers: Any) -> Any:
        """From a tuple of (keys, values) or (keys, values, source keys, source values) a layer."""
        cache = cls()
        for i, pair in enumerate(layers):
            cache.append(i, np.asarray(pair[0]), np.asarray(pair[1]))
            if len(pair) == 4:
                cache.source[i] = (np.asarray(pair[2]), np.asarray(pair[3]))
        return cache

    @property
    def length(self) -> int:
        """Positions held."""
        return self.layers[0].length if self.layers else 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """The reference's name of `length`."""
        return self.layers[layer_idx].length if layer_idx < len(self.layers) else 0

    def append(self, layer: int, k: Any, v: Any, window: int | None = None) -> tuple[Any, Any]:
        """Add positions to a layer. k, v: (batch, kv_heads, seq, head_dim) -> all so far

        window: only so many of the latest positions are seen by a query. Then those that no new
        query sees are left out, and in time forgotten: memory stays bounded, however long the text
        """
        while len(self.layers) <= layer:
            self.layers.append(_Layer())
        return self.layers[layer].append(k, v, self.reserve, window)

    def fork(self) -> KVCache:
        """A continuation that leaves this cache as it is, sharing what both have."""
        other = KVCache(self.reserve)
        other.layers = [layer.fork() for layer in self.layers]
        other.source = dict(self.source)
        return other

    def crop(self, length: int) -> None:
        """Forget the positions from `length` on.

        Raises ValueError where a layer with a window no longer holds what they would see.
        """
        for layer in self.layers:
            layer.crop(length)

    def reorder(self, rows: np.ndarray, start: int = 0) -> None:
        """Row i becomes what row rows[i] was; more or fewer rows than before are fine.

        start: a row and its origin are known to agree before that position and, if it is not 0, in
        what cross-attention sees: true of the beams of one example, and much less to move
        """
        for layer in self.layers:
            layer.select(rows, start)
        if not start:
            self.source = {i: (k[rows], v[rows]) for i, (k, v) in self.source.items()}

    @classmethod
    def joined(cls, parts: list[tuple[KVCache, np.ndarray]], length: int) -> KVCache:
        """Rows of several caches in one, aligned at their last positions.

        parts: (cache, rows of it) each; length: positions to keep, zeros before what a part has
        """
        new = cls(max(cache.reserve for cache, _ in parts))
        for i in range(len(parts[0][0])):
            held = [tuple(x[rows] for x in cache.layers[i].pair()) for cache, rows in parts]
            kept = min(length, max(k.shape[2] for k, _ in held))
            k, v = (_stacked([pair[j] for pair in held], kept) for j in (0, 1))
            new.append(i, k, v)
            new.layers[i].forgotten, new.layers[i].length = length - kept, length
        return new

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, layer: int) -> tuple:
        return self.layers[layer].pair() + self.source.get(layer, ())

    def __iter__(self) -> Iterator[tuple]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(layers={len(self)}, length={self.length})"


def continued(past: Any) -> KVCache | None:
    """What a call goes on in. past: a cache, a tuple of layers, perhaps empty, or None -> cache"""
    if isinstance(past, KVCache):
        return past.fork()
    return KVCache.from_legacy(past) if past is not None and len(past) else None
