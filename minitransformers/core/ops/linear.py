"""Matrix products: with a weight, in the two ways checkpoints store one, and of activations."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


def _rows(x: np.ndarray) -> np.ndarray:
    """(..., n) -> (rows, n). One product for the whole batch: `matmul` on three axes would do one
    per batch entry, and a decoding step is a batch of single rows."""
    return x.reshape(-1, x.shape[-1])


@primitive
def linear(x, weight, bias=None):
    """Multiply by a weight stored as torch's Linear stores it.

    x: (..., in); weight: (out, in); bias: (out,) or None -> (..., out)
    """
    out = _rows(x) @ weight.T
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], weight.shape[0]), (x, weight, bias is not None)


@linear.defvjp
def _(saved, g):
    x, weight, biased = saved
    rows = _rows(g)
    return (
        (rows @ weight).reshape(x.shape),
        rows.T @ _rows(x),
        rows.sum(0) if biased else None,
    )


@primitive
def conv1d(x, weight, bias=None):
    """Multiply by a weight stored transposed, as GPT-2's checkpoints store it.

    x: (..., in); weight: (in, out); bias: (out,) or None -> (..., out)
    """
    out = _rows(x) @ weight
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], weight.shape[1]), (x, weight, bias is not None)


@conv1d.defvjp
def _(saved, g):
    x, weight, biased = saved
    rows = _rows(g)
    return (
        (rows @ weight.T).reshape(x.shape),
        _rows(x).T @ rows,
        rows.sum(0) if biased else None,
    )


@primitive
def einsum(x, y, *, subscripts):
    """Multiply and sum over the axes that the result lacks, as np.einsum.

    subscripts: such as "bhqd,hkd->bhqk"; each axis of a factor is in the other or in the result
    """
    return np.einsum(subscripts, x, y, optimize=True), (x, y, subscripts)


@einsum.defvjp
def _(saved, g):
    x, y, subscripts = saved
    factors, result = subscripts.split("->")
    first, second = factors.split(",")
    return (
        np.einsum(f"{result},{second}->{first}", g, y, optimize=True),
        np.einsum(f"{result},{first}->{second}", g, x, optimize=True),
    )
