"""Table lookup."""

from __future__ import annotations

import numpy as np

from ..packed import Packed
from ..primitive import primitive


@primitive
def embedding(weight, *, ids):
    """Take rows of a table. weight: (vocab, hidden); ids: (...) integers -> (..., hidden)"""
    return weight[ids], (weight, ids)


@embedding.defvjp
def _(saved, g):
    weight, ids = saved
    if isinstance(weight, Packed):
        return (None,)  # a weight in packed form is not trained
    out = np.zeros(weight.shape, g.dtype)
    np.add.at(out, ids.reshape(-1), g.reshape(-1, g.shape[-1]))
    return (out,)
