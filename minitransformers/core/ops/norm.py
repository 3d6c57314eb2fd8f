"""Normalisation of the last axis."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


def _sum_squares(x: np.ndarray) -> np.ndarray:
    """(..., n) -> (..., 1), without the temporary that `(x * x).sum` makes"""
    return np.einsum("...i,...i->...", x, x)[..., None]


def _over_rows(x: np.ndarray) -> np.ndarray:
    """Sum over all axes but the last."""
    return x.reshape(-1, x.shape[-1]).sum(0)


@primitive
def layer_norm(x, weight, bias, *, eps):
    """Centre and scale the last axis, by the biased variance (Ba et al., 2016).

    x: (..., hidden); weight: (hidden,); bias: (hidden,) or None -> (..., hidden)
    """
    n = x.shape[-1]
    mean = np.add.reduce(x, axis=-1, keepdims=True)
    mean /= n
    out = x - mean
    rstd = _sum_squares(out)
    rstd /= n
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    out *= rstd
    out *= weight
    if bias is not None:
        out += bias
    return out, (x, mean, rstd, weight, bias is not None)


@layer_norm.defvjp
def _(saved, g):
    x, mean, rstd, weight, biased = saved
    unit = (x - mean) * rstd
    gx = g * weight
    gx -= gx.mean(-1, keepdims=True) + unit * (gx * unit).mean(-1, keepdims=True)
    gx *= rstd
    return gx, _over_rows(g * unit), _over_rows(g) if biased else None


@primitive
def rms_norm(x, weight, *, eps):
    """Scale the last axis by its root mean square (Zhang and Sennrich, 2019).

    x: (..., hidden); weight: (hidden,) -> (..., hidden)
    """
    rstd = _sum_squares(x)
    rstd /= x.shape[-1]
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    out = x * rstd
    out *= weight
    return out, (x, rstd, weight)


@rms_norm.defvjp
def _(saved, g):
    x, rstd, weight = saved
    unit = x * rstd
    gx = g * weight
    gx -= unit * (gx * unit).mean(-1, keepdims=True)
    gx *= rstd
    return gx, _over_rows(g * unit)
