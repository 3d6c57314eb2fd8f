"""Table lookup."""

from __future__ import annotations

import numpy as np

from ..primitive import primitive


@primitive
def embedding(weight, *, ids, padding_idx=None):
    """Take rows of a table. weight: (vocab, hidden); ids: (...) integers -> (..., hidden)

    padding_idx: the row that gets no gradient
    """
    return weight[ids], (weight, ids, padding_idx)


@embedding.defvjp
def _(saved, g):
    weight, ids, padding_idx = saved
    if not getattr(weight, "trainable", True):
        return (None,)  # of integers
    out = np.zeros(weight.shape, g.dtype)
    np.add.at(out, ids.reshape(-1), g.reshape(-1, g.shape[-1]))
    if padding_idx is not None:
        out[padding_idx] = 0.0
    return (out,)
