"""Rotary position embedding (Su et al., 2021)."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


def inverse_frequencies(dim: int, base: float) -> np.ndarray:
    """base ** (-2 i / dim). -> (dim / 2,) float32"""
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    return np.float32(1.0) / np.power(np.float32(base), exponents)


def rotary_table(
    positions: np.ndarray, frequencies: np.ndarray, scaling: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of every position's angles.

    positions: (batch, seq); frequencies: (dim / 2,) -> two of (batch, 1, seq, dim / 2) float32

    The angle is rounded to float32, as where the checkpoints were trained: at position 10,000 that
    moves it by 1e-3, and a more exact angle would be a different model.
    """
    angles = positions[:, None, :, None].astype(np.float32) * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    return (cos, sin) if scaling == 1.0 else (cos * np.float32(scaling), sin * np.float32(scaling))


def _rotate(x, cos, sin, interleaved):
    half = cos.shape[-1]
    if interleaved:
        first, second = slice(0, 2 * half, 2), slice(1, 2 * half, 2)
    else:
        first, second = slice(0, half), slice(half, 2 * half)
    # a cos -+ b sin, over whole rows: NumPy runs one loop for each row of an array with gaps
    factors = np.empty((2, *cos.shape[:-1], 2 * half), cos.dtype)
    of_own, of_other = factors
    of_own[..., first] = of_own[..., second] = cos
    np.negative(sin, out=of_other[..., first])
    of_other[..., second] = sin
    out = np.empty_like(x)
    turned, rest = out[..., : 2 * half], out[..., 2 * half :]
    rest[...] = x[..., 2 * half :]
    np.multiply(x[..., : 2 * half], of_own, out=turned)
    other = np.empty_like(turned)
    other[..., first], other[..., second] = x[..., second], x[..., first]
    other *= of_other
    turned += other
    return out


@primitive
def rotary(x, *, cos, sin, interleaved=False):
    """Turn pairs of channels by angles that grow with the position.

    x: (batch, heads, seq, head_dim); cos, sin: (batch, 1, seq, dim / 2), dim <= head_dim; channels
    beyond dim stay. Pairs are (i, i + dim / 2), or (2 i, 2 i + 1) if interleaved. -> x's shape
    """
    return _rotate(x, cos, sin, interleaved), (cos, sin, interleaved)


@rotary.defvjp
def _(saved, g):
    cos, sin, interleaved = saved
    return (_rotate(g, cos, -sin, interleaved),)
