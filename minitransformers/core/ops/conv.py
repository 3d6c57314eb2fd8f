"""Convolution and Fourier transform along the sequence."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


@primitive
def windows(x, *, kernel):
    """Each position with its neighbours, `kernel` in all, zeros beyond both ends.

    x: (batch, seq, channels) -> (batch, seq, channels, kernel). Raises ValueError if that is even
    """
    if kernel % 2 == 0:
        raise ValueError(f"a kernel of {kernel} positions has no middle: it must be odd")
    side = kernel // 2
    padded = np.pad(x, ((0, 0), (side, side), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=1), None


@windows.defvjp
def _(saved, g):
    batch, seq, channels, kernel = g.shape
    gx = np.zeros((batch, seq + kernel - 1, channels), g.dtype)
    for offset in range(kernel):
        gx[:, offset : offset + seq] += g[..., offset]
    side = kernel // 2
    return (gx[:, side : side + seq],)


@primitive
def convolution(x, weight, bias=None, *, groups=1):
    """Mix each position with its neighbours, keeping the length.

    x: (batch, seq, in); weight: (out, in / groups, kernel), an odd kernel; bias: (out,) or None;
    groups: channels are cut into that many parts, each of which sees only itself
    -> (batch, seq, out)
    """
    out, _, kernel = weight.shape
    batch, seq, _ = x.shape
    columns = windows(x, kernel=kernel).reshape(batch * seq, groups, -1).swapaxes(0, 1)
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
    (gx,) = windows.vjp(None, gcolumns)
    return gx, gw, g.sum((0, 1)) if biased else None


@primitive
def fourier(x):
    """The real part of the Fourier transform over positions and channels.

    x: (batch, seq, hidden) -> (batch, seq, hidden)
    """
    return np.fft.fft2(x).real.astype(x.dtype), None


@fourier.defvjp
def _(saved, g):
    return (np.fft.fft2(g).real.astype(g.dtype),)  # a symmetric matrix
