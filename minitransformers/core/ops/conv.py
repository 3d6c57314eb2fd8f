"""Convolution along the sequence."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


def _windows(x, kernel):
    """(batch, seq, channels) -> (batch, seq, channels, kernel), zeros beyond both ends"""
    side = kernel // 2
    padded = np.pad(x, ((0, 0), (side, side), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=1)


@primitive
def convolution(x, weight, bias=None, *, groups=1):
    """Mix each position with its neighbours, keeping the length.

    x: (batch, seq, in); weight: (out, in / groups, kernel), an odd kernel; bias: (out,) or None;
    groups: channels are cut into that many parts, each of which sees only itself
    -> (batch, seq, out)
    """
    out, _, kernel = weight.shape
    if kernel % 2 == 0:
        raise ValueError(f"a kernel of {kernel} positions has no middle: it must be odd")
    batch, seq, _ = x.shape
    columns = _windows(x, kernel).reshape(batch * seq, groups, -1).swapaxes(0, 1)
    matrices = weight.reshape(groups, out // groups, -1)
    result = (columns @ matrices.swapaxes(1, 2)).swapaxes(0, 1).reshape(batch, seq, out)
    if bias is not None:
        result += bias
    return result, (x, columns, weight, groups, bias is not None)


@convolution.defvjp
def _(saved, g):
    x, columns, weight, groups, biased = saved
    batch, seq, channels = x.shape
    out, _, kernel = weight.shape
    rows = g.reshape(batch * seq, groups, out // groups).swapaxes(0, 1)
    gw = (rows.swapaxes(1, 2) @ columns).reshape(weight.shape)
    gcolumns = rows @ weight.reshape(groups, out // groups, -1)
    gcolumns = gcolumns.swapaxes(0, 1).reshape(batch, seq, channels, kernel)
    side = kernel // 2
    gx = np.zeros((batch, seq + 2 * side, channels), g.dtype)
    for offset in range(kernel):
        gx[:, offset : offset + seq] += gcolumns[..., offset]
    return gx[:, side : side + seq], gw, g.sum((0, 1)) if biased else None
