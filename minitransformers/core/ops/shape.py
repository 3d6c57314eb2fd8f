"""Sums, products and rearrangements."""

from __future__ import annotations

import itertools

import numpy as np

from ..primitive import primitive


def _shape(x):
    return getattr(x, "shape", ())


def unbroadcast(g, shape):
    """Sum a gradient over the axes along which its value was repeated."""
    if g.shape == shape:
        return g
    g = g.sum(tuple(range(g.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(repeated, keepdims=True) if repeated else g


@primitive
def add(x, y):
    """x + y, with broadcasting."""
    return x + y, (_shape(x), _shape(y))


@add.defvjp
def _(saved, g):
    return tuple(unbroadcast(g, shape) for shape in saved)


@primitive
def mul(x, y):
    """x * y, with broadcasting; y may be a Python float."""
    if isinstance(y, float):  # NumPy 1 makes float64 of a float32 without axes times a float
        y = x.dtype.type(y)
    return x * y, (x, y)


@mul.defvjp
def _(saved, g):
    x, y = saved
    return unbroadcast(g * y, _shape(x)), unbroadcast(g * x, _shape(y))


@primitive
def dropout(x, *, keep):
    """Multiply by a mask drawn beforehand: 0, or 1 / (1 - p). keep: x's shape"""
    return x * keep, keep


@dropout.defvjp
def _(keep, g):
    return (g * keep,)


@primitive
def mean(x, *, axis):
    """The mean along one axis."""
    return x.mean(axis), (x.shape, axis)


@mean.defvjp
def _(saved, g):
    shape, axis = saved
    return (np.broadcast_to(np.expand_dims(g, axis) * (1.0 / shape[axis]), shape),)


@primitive
def log1p(x):
    """log(1 + x)"""
    return np.log1p(x), x


@log1p.defvjp
def _(x, g):
    return (g / (1.0 + x),)


@primitive
def reshape(x, *, shape):
    """Give another shape to the same values."""
    return x.reshape(shape), x.shape


@reshape.defvjp
def _(shape, g):
    return (g.reshape(shape),)


@primitive
def transpose(x, *, axes):
    """Reorder the axes."""
    return x.transpose(axes), axes


@transpose.defvjp
def _(axes, g):
    return (g.transpose(np.argsort(axes)),)


@primitive
def split_heads(x, *, heads):
    """(batch, seq, heads * head_dim) -> (batch, heads, seq, head_dim)"""
    batch, seq, _ = x.shape
    return x.reshape(batch, seq, heads, -1).transpose(0, 2, 1, 3), None


@split_heads.defvjp
def _(saved, g):
    return (_merge(g),)


@primitive
def merge_heads(x):
    """(batch, heads, seq, head_dim) -> (batch, seq, heads * head_dim)"""
    return _merge(x), x.shape


@merge_heads.defvjp
def _(shape, g):
    batch, heads, seq, head_dim = shape
    return (g.reshape(batch, seq, heads, head_dim).transpose(0, 2, 1, 3),)


def _merge(x):
    batch, heads, seq, head_dim = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, seq, heads * head_dim)


@primitive
def split(x, *, sizes):
    """Cut the last axis into parts of these sizes. -> a tuple of (..., size)"""
    stops = itertools.accumulate(sizes)
    return tuple(x[..., stop - size : stop] for size, stop in zip(sizes, stops)), None


@split.defvjp
def _(saved, g):
    return (np.concatenate(g, axis=-1),)


@primitive
def concatenate(*parts, axis=-1):
    """Join along an axis."""
    return np.concatenate(parts, axis=axis), ([p.shape[axis] for p in parts], axis)


@concatenate.defvjp
def _(saved, g):
    sizes, axis = saved
    return tuple(np.split(g, np.cumsum(sizes)[:-1], axis=axis))


@primitive
def getitem(x, *, index):
    """x[index], by slices, integers or integer arrays."""
    return x[index], (x.shape, index)


@getitem.defvjp
def _(saved, g):
    shape, index = saved
    out = np.zeros(shape, g.dtype)
    if any(isinstance(part, (np.ndarray, list)) for part in _tuple(index)):
        np.add.at(out, index, g)  # an array may name an element twice
    else:
        out[index] = g
    return (out,)


def _tuple(index):
    return index if isinstance(index, tuple) else (index,)
