"""Losses, each the mean over what counts."""

from __future__ import annotations

import numpy as np

from ..blocks import over_blocks
from ..primitive import primitive

IGNORED = -100  # the label of positions that have none


@primitive
def cross_entropy(logits, *, labels, ignore_index=IGNORED, smoothing=0.0):
    """The mean of -log softmax(logits)[label] over labels other than ignore_index.

    logits: (rows, classes); labels: (rows,) integers -> () ; NaN if every label is ignored
    smoothing: the part of each label that is spread over all classes (Szegedy et al., 2016)
    Raises ValueError for a label outside the classes.
    """
    counted = np.flatnonzero(labels != ignore_index)
    chosen = labels[counted]
    classes = logits.shape[-1]
    if chosen.size and (chosen.min() < 0 or chosen.max() >= classes):
        wrong = chosen[(chosen < 0) | (chosen >= classes)][0]
        raise ValueError(
            f"label {wrong} is outside the model's {classes} classes (0 to {classes - 1}); "
            f"{ignore_index} marks a position to ignore"
        )
    rows = logits if counted.size == len(labels) else logits[counted]
    log_sum, picked = np.empty((2, len(chosen)), rows.dtype)

    def reduce(start: int, stop: int) -> None:
        shifted = rows[start:stop] - np.maximum.reduce(rows[start:stop], axis=-1, keepdims=True)
        picked[start:stop] = shifted[np.arange(stop - start), chosen[start:stop]]
        if smoothing:
            picked[start:stop] *= 1.0 - smoothing
            picked[start:stop] += smoothing * shifted.mean(-1)
        np.log(np.add.reduce(np.exp(shifted, out=shifted), axis=-1), out=log_sum[start:stop])

    over_blocks(reduce, len(chosen), classes)
    loss = (log_sum - picked).sum() / rows.dtype.type(chosen.size or np.nan)
    return np.asarray(loss, logits.dtype), (logits, rows, counted, chosen, smoothing)


@cross_entropy.defvjp
def _(saved, g):
    logits, rows, counted, chosen, smoothing = saved
    p = np.empty_like(rows)
    factor = float(g) / max(chosen.size, 1)

    def derive(start: int, stop: int) -> None:
        x, y = rows[start:stop], p[start:stop]
        np.subtract(x, np.maximum.reduce(x, axis=-1, keepdims=True), out=y)
        np.exp(y, out=y)
        y *= factor / np.add.reduce(y, axis=-1, keepdims=True)
        y[np.arange(stop - start), chosen[start:stop]] -= factor * (1.0 - smoothing)
        if smoothing:
            y -= factor * smoothing / x.shape[-1]

    over_blocks(derive, len(chosen), logits.shape[-1])
    if rows is logits:
        return (p,)
    out = np.zeros_like(logits)
    out[counted] = p
    return (out,)


@primitive
def mse(prediction, *, target):
    """The mean of squared differences. prediction, target: one shape -> ()"""
    difference = prediction - target
    return np.asarray((difference * difference).mean(), prediction.dtype), difference


@mse.defvjp
def _(difference, g):
    return (difference * (g * (2.0 / difference.size)),)


@primitive
def bce_with_logits(logits, *, target):
    """The mean binary cross entropy of sigmoid(logits). logits, target: one shape -> ()"""
    # max(x, 0) - x t + log(1 + exp(-|x|)) cannot overflow
    terms = np.maximum(logits, 0.0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return np.asarray(terms.mean(), logits.dtype), (logits, target)


@bce_with_logits.defvjp
def _(saved, g):
    logits, target = saved
    p = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return ((p - target) * (g * (1.0 / logits.size)),)
