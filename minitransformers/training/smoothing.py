"""Label smoothing (Szegedy et al., 2016): part of every label is spread over all classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import ops


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
        return ops.cross_entropy(
            ops.reshape(logits, shape=(-1, logits.shape[-1])),
            labels=labels.reshape(-1),
            ignore_index=self.ignore_index,
            smoothing=self.epsilon,
        )
