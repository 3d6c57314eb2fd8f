"""torch's CPU random numbers, in NumPy: the same seed gives the same draws.

torch's default generator is MT19937, whose raw 32-bit words `numpy.random.RandomState` also yields;
the rest is how torch turns words into numbers. Dropout, sampling, shuffling and initialisation draw
from `default_generator`.
"""

from __future__ import annotations

import math
import os
import random

import numpy as np

_U24 = np.float32(2.0**-24)
_U53 = 2.0**-53
# numbers made at a time, so that what they are made of stays in the cache
_NORMAL = 1 << 14
_KEPT = 1 << 16


class Generator:
    """A stream of random words with torch's ways of drawing from it.

    seed: what it was last seeded with
    """

    def __init__(self, seed: int | None = None):
        self._bits = np.random.MT19937()
        self._words = np.random.RandomState(self._bits)
        self._normal: float | None = None  # the second value of a Box-Muller pair, not yet used
        self.manual_seed(int.from_bytes(os.urandom(8), "little") if seed is None else seed)

    def manual_seed(self, seed: int) -> Generator:
        self.seed = seed
        self._words.seed(seed % 2**32)
        self._normal = None
        return self

    def get_state(self) -> tuple:
        return self._words.get_state(), self._normal

    def set_state(self, state: tuple) -> None:
        words, self._normal = state
        self._words.set_state(words)

    def words(self, n: int) -> np.ndarray:
        """n raw words -> (n,) uint32"""
        return self._words.randint(0, 2**32, n, np.uint32)  # in half the time of `bytes`

    def skip(self, n: int) -> None:
        """Go on as if n words had been drawn."""
        self._bits.random_raw(n, output=False)

    def bits53(self, n: int) -> np.ndarray:
        """-> (n,) uint64 uniform below 2^53, two words each, the high half first"""
        pairs = self._words.randint(0, 2**64, n, np.uint64)
        pairs &= np.uint64(2**53 - 1)
        return pairs

    def random53(self, n: int) -> np.ndarray:
        """-> (n,) float64 uniform in [0, 1)"""
        return self.bits53(n) * _U53

    def rand(self, *shape: int) -> np.ndarray:
        """-> shape, float32 uniform in [0, 1)"""
        return ((self.words(math.prod(shape)) & 0xFFFFFF) * _U24).reshape(shape)

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
        """-> shape, float32 uniform in [low, high)"""
        low32 = np.float32(low)
        # torch rounds once, after multiplying and adding: float64 holds the product exactly
        unit = self.rand(*shape).astype(np.float64)
        return (unit * float(np.float32(high) - low32) + float(low32)).astype(np.float32)

    def exponential(self, *shape: int) -> np.ndarray:
        """-> shape, float32 with rate 1"""
        return _exponential(self.bits53(math.prod(shape))).reshape(shape)

    def multinomial(self, p: np.ndarray, k: int = 1) -> np.ndarray:
        """Draw k columns of each row without replacement, in the order drawn.

        p: (rows, columns) weights, need not sum to one -> (rows, k) int64
        """
        # every element uses up its words, but only likely ones need a logarithm
        bits, possible = self.bits53(p.size), np.flatnonzero(p)
        waits = _exponential(bits[possible])
        race = np.zeros(p.shape, np.float32)
        race.reshape(-1)[possible] = p.reshape(-1)[possible] / waits
        if k == 1:
            return race.argmax(-1)[:, None]
        return np.argsort(-race, axis=-1, kind="stable")[:, :k]

    def bernoulli(self, p: np.ndarray) -> np.ndarray:
        """-> bool of p's shape, true with probability p"""
        return self.rand(*p.shape) < p

    def keep(self, shape: tuple[int, ...], p: float) -> np.ndarray:
        """A dropout mask: 0 with probability p, else 1 / (1 - p). -> shape, float32"""
        if p >= 1.0:
            return np.zeros(shape, np.float32)
        out = np.empty(math.prod(shape), np.float32)
        kept, scale = np.uint64(math.ceil((1.0 - p) * 2**53)), np.float32(1.0 / (1.0 - p))
        for start in range(0, out.size, _KEPT):
            some = out[start : start + _KEPT]
            np.multiply(self.bits53(some.size) < kept, scale, out=some)
        return out.reshape(shape)

    def randint(self, high: int, shape: tuple[int, ...]) -> np.ndarray:
        """-> shape, int64 in [0, high)"""
        return (self.words(math.prod(shape)) % np.uint32(high)).astype(np.int64).reshape(shape)

    def randperm(self, n: int) -> np.ndarray:
        """-> (n,) int64, a permutation"""
        order = list(range(n))
        for i, word in enumerate(self.words(max(n - 1, 0)).tolist()):
            j = i + word % (n - i)
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> np.ndarray:
        """-> shape, float32. Equal to torch's to one unit in the last place."""
        n = math.prod(shape)
        draw = self._normal_pairs if n < 16 else self._normal_blocks
        return (draw(n) * np.float32(std) + np.float32(mean)).reshape(shape)

    def skip_normal(self, n: int) -> None:
        """Go on as if n normal numbers had been drawn."""
        if n < 16:
            self._normal_pairs(n)
        else:
            self.skip(n + 16 * (n % 16 > 0))

    def _normal_blocks(self, n: int) -> np.ndarray:
        out = np.empty(n, np.float32)
        whole = n // 16 * 16
        for start in range(0, whole, _NORMAL):
            part = out[start : min(start + _NORMAL, whole)]
            part[:] = _box_muller(self.rand(part.size))
        if whole < n:  # the last sixteen are drawn again, as one block
            self.words(n - whole)
            out[-16:] = _box_muller(self.rand(16))
        return out

    def _normal_pairs(self, n: int) -> np.ndarray:
        out = np.empty(n, np.float32)
        for i in range(n):
            if self._normal is not None:
                out[i], self._normal = self._normal, None
                continue
            u1, u2 = self.random53(2)
            radius, angle = math.sqrt(-2.0 * math.log1p(-u2)), 2.0 * math.pi * u1
            out[i], self._normal = radius * math.cos(angle), radius * math.sin(angle)
        return out


def _exponential(bits: np.ndarray) -> np.ndarray:
    """(n,) integers below 2^53 -> (n,) float32 with rate 1"""
    return (-np.log1p(-(bits * _U53))).astype(np.float32)


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    """(16 m,) uniform -> (16 m,) normal, in blocks of eight cosines and eight sines"""
    u1, u2 = uniform.reshape(-1, 2, 8).swapaxes(0, 1)
    radius = np.sqrt(-2.0 * np.log(1.0 - u1))
    angle = np.float32(2.0 * math.pi) * u2
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)


default_generator = Generator()


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Seed Python's, NumPy's and this library's random numbers.

    Sampling after `set_seed(n)` gives the tokens that torch gives. `deterministic` is accepted for
    compatibility: nothing here depends on it.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the reference seeds the legacy generator
    default_generator.manual_seed(seed)
