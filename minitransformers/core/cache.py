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

_STEP = 256  # positions; growing by steps keeps the copies rare


class _Buffer:
    """Storage of one layer, perhaps shared by several caches. used: positions written so far"""

    __slots__ = ("k", "shared", "used", "v")

    def __init__(self, k: np.ndarray, v: np.ndarray, used: int = 0):
        self.k, self.v, self.used, self.shared = k, v, used, False

    def moved(self, rows: Any, length: int, capacity: int) -> _Buffer:
        """A private copy of the first `length` positions of the rows `rows`."""
        k, v = (_allocate(x[rows], capacity) for x in (self.k, self.v))
        k[:, :, :length], v[:, :, :length] = self.k[rows, :, :length], self.v[rows, :, :length]
        return _Buffer(k, v, length)


def _allocate(like: np.ndarray, capacity: int) -> np.ndarray:
    batch, heads, _, head_dim = like.shape
    return np.empty((batch, heads, capacity, head_dim), like.dtype)


class _Layer:
    """Keys and values of one attention layer: (batch, kv_heads, length, head_dim) each."""

    __slots__ = ("buffer", "length", "traced")

    def __init__(self) -> None:
        self.buffer: _Buffer | None = None
        self.length = 0
        self.traced: tuple[Any, Any] | None = None  # keys and values under differentiation

    def append(self, k: Any, v: Any, reserve: int) -> tuple[Any, Any]:
        if type(k) is Tensor or self.traced is not None:
            return self._append_traced(k, v)
        start, end = self.length, self.length + k.shape[2]
        buffer = self.buffer
        if buffer is None:
            capacity = max(reserve, -(-end // _STEP) * _STEP)
            buffer = _Buffer(_allocate(k, capacity), _allocate(v, capacity))
        elif end > buffer.k.shape[2] or buffer.used != start:
            capacity = max(reserve, -(-end // _STEP) * _STEP, start + start // 2)
            buffer = buffer.moved(slice(None), start, capacity)
        buffer.k[:, :, start:end], buffer.v[:, :, start:end] = k, v
        buffer.used, self.length, self.buffer = end, end, buffer
        return buffer.k[:, :, :end], buffer.v[:, :, :end]

    def _append_traced(self, k: Any, v: Any) -> tuple[Any, Any]:
        if self.length:
            past = self.traced or self.pair()
            k, v = (ops.concatenate(old, new, axis=2) for old, new in zip(past, (k, v)))
        self.traced, self.length = (k, v), k.shape[2]
        return k, v

    def pair(self) -> tuple[Any, Any]:
        if self.traced is not None:
            return self.traced
        assert self.buffer is not None
        return self.buffer.k[:, :, : self.length], self.buffer.v[:, :, : self.length]

    def fork(self) -> _Layer:
        other = _Layer()
        other.buffer, other.length, other.traced = self.buffer, self.length, self.traced
        if self.buffer is not None:
            self.buffer.shared = True
        return other

    def crop(self, length: int) -> None:
        self.length = min(length, self.length)
        if self.buffer is not None and not self.buffer.shared:
            self.buffer.used = self.length

    def select(self, rows: np.ndarray, start: int) -> None:
        assert self.buffer is not None
        buffer, length = self.buffer, self.length
        if buffer.shared or len(rows) != len(buffer.k):
            self.buffer = buffer.moved(rows, length, buffer.k.shape[2])
            return
        changed = np.flatnonzero(rows != np.arange(len(rows)))
        source = rows[changed]
        for x in (buffer.k, buffer.v):
            x[changed, :, start:length] = x[source, :, start:length]


class KVCache:
    """Keys and values of every layer, for self-attention and for cross-attention.

    A sequence as the reference's: `cache[i]` is (keys, values) of layer i, each (batch, kv_heads,
    length, head_dim), followed by the cross-attention's pair where the model has one.

    reserve: positions to make room for at the first append (a hint; the cache grows beyond)
    """

    def __init__(self, reserve: int = 0):
        self.reserve = reserve
        self.layers: list[_Layer] = []
        self.source: dict[int, tuple[Any, Any]] = {}

    @classmethod
    def from_legacy(cls, layers: Any) -> KVCache:
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

    def append(self, layer: int, k: Any, v: Any) -> tuple[Any, Any]:
        """Add positions to a layer. k, v: (batch, kv_heads, seq, head_dim) -> all so far"""
        while len(self.layers) <= layer:
            self.layers.append(_Layer())
        return self.layers[layer].append(k, v, self.reserve)

    def fork(self) -> KVCache:
        """A continuation that leaves this cache as it is, sharing what both have."""
        other = KVCache(self.reserve)
        other.layers = [layer.fork() for layer in self.layers]
        other.source = dict(self.source)
        return other

    def crop(self, length: int) -> None:
        """Forget the positions from `length` on."""
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

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, layer: int) -> tuple:
        return self.layers[layer].pair() + self.source.get(layer, ())

    def __iter__(self) -> Iterator[tuple]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"KVCache(layers={len(self)}, length={self.length})"
