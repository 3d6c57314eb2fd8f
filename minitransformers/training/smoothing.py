"""Label smoothing (Szegedy et al., 2016): part of every label is spread over all classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import ops
from ..core.primitive import primitive


@primitive
def smoothed_cross_entropy(logits, *, labels, epsilon, ignored):
    """The mean, over labels other than `ignored`, of (1 - epsilon) times -log p[label] plus epsilon
    times the mean of -log p over the classes.

    logits: (rows, classes); labels: (rows,) integers -> ()
    """
    counted = np.flatnonzero(labels != ignored)
    rows, chosen = logits[counted], np.maximum(labels[counted], 0)
    log_p = rows - rows.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    hit = log_p[np.arange(len(chosen)), chosen]
    terms = (1.0 - epsilon) * hit + epsilon * log_p.mean(-1)
    count = rows.dtype.type(chosen.size or np.nan)
    saved = (logits.shape, counted, chosen, log_p, epsilon)
    return np.asarray(-terms.sum() / count, logits.dtype), saved


@smoothed_cross_entropy.defvjp
def _(saved, g):
    shape, counted, chosen, log_p, epsilon = saved
    d = np.exp(log_p)
    d -= epsilon / shape[-1]
    d[np.arange(len(chosen)), chosen] -= 1.0 - epsilon
    d *= g / max(chosen.size, 1)
    out = np.zeros(shape, d.dtype)
    out[counted] = d
    return (out,)


@dataclass
class LabelSmoother:
    """The smoothed loss of a model's output.

    epsilon: the part that is spread; ignore_index: the label of positions that have none
    """

    epsilon: float = 0.1
    ignore_index: int = -100

    def __call__(self, model_output: Any, labels: Any, shift_labels: bool = False) -> Any:
        """model_output: with `logits`, (..., classes); labels: (...) integers -> ()

        shift_labels: whether each position predicts the next label, as in causal models
        """
        logits = model_output["logits"] if isinstance(model_output, dict) else model_output[0]
        labels = np.asarray(labels)
        if labels.ndim == logits.ndim:
            labels = labels[..., 0]
        if shift_labels:
            logits, labels = logits[..., :-1, :], labels[..., 1:]
        return smoothed_cross_entropy(
            ops.reshape(logits, shape=(-1, logits.shape[-1])),
            labels=labels.reshape(-1),
            epsilon=self.epsilon,
            ignored=self.ignore_index,
        )
