"""NEFTune (arXiv:2310.05914): noise on the embeddings while a model is trained."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import ops
from ..core.random import default_generator


@contextlib.contextmanager
def noisy_embeddings(model: Any, alpha: float | None) -> Iterator[None]:
    """A context in which the token embeddings of a model in training get uniform noise of size
    alpha / sqrt(seq * hidden). alpha: None for none"""
    if alpha is None:
        yield
        return
    table = model.get_input_embeddings()
    quiet, strength = type(table), alpha

    class Noisy(quiet):  # type: ignore[misc, valid-type]
        def __call__(self, ids: np.ndarray) -> Any:
            out = quiet.__call__(self, ids)
            if not self.training:
                return out
            size = strength / math.sqrt(out.shape[1] * out.shape[2])
            return ops.add(out, default_generator.uniform(out.shape, -size, size))

    table.__class__ = Noisy
    try:
        yield
    finally:
        table.__class__ = quiet
