"""What an evaluation collects and returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..core.cache import KVCache

PADDING = -100  # joins batches of unequal length


class EvalPrediction:
    """What `compute_metrics` gets. Unpacks as (predictions, label_ids), and inputs, losses if kept.

    predictions: array, or a tuple of them where the model returns several; label_ids: likewise
    inputs, losses: only if `include_for_metrics` names them
    """

    def __init__(self, predictions: Any, label_ids: Any, inputs: Any = None, losses: Any = None):
        self.predictions, self.label_ids = predictions, label_ids
        self.inputs, self.losses = inputs, losses
        kept = [x for x in (inputs, losses) if x is not None]
        self.elements = (predictions, label_ids, *kept)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.elements)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.elements):
            raise IndexError(f"an EvalPrediction of {len(self.elements)} elements has no [{index}]")
        return self.elements[index]


class EvalLoopOutput(NamedTuple):
    """What `Trainer.evaluation_loop` returns."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, Any] | None
    num_samples: int | None


class PredictionOutput(NamedTuple):
    """What `Trainer.predict` returns."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, Any] | None


class TrainOutput(NamedTuple):
    """What `Trainer.train` returns."""

    global_step: int
    training_loss: float
    metrics: dict[str, Any]


class Collected:
    """Results of batches, to be joined at the end.

    join: whether to concatenate them; otherwise they stay a list, an entry a batch
    """

    def __init__(self, join: bool = True):
        self.join = join
        self.batches: list[Any] = []

    def add(self, batch: Any) -> None:
        self.batches.append(batch)

    def get(self) -> Any:
        """-> the results, padded with -100 to one length where they are joined; None if none"""
        if not self.batches:
            return None
        return concatenate(self.batches) if self.join else self.batches


def concatenate(batches: list[Any]) -> Any:
    """Join arrays, or nests of arrays of one form, along the first axis, padding the second.

    A cache is taken as the tuples of its layers.
    """
    if isinstance(batches[0], KVCache):
        batches = [tuple(batch) for batch in batches]
    first = batches[0]
    if isinstance(first, Mapping):
        return {key: concatenate([batch[key] for batch in batches]) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(concatenate(list(parts)) for parts in zip(*batches))
    arrays = [np.atleast_1d(batch) for batch in batches]
    if arrays[0].ndim == 1 or len({array.shape[1] for array in arrays}) == 1:
        return np.concatenate(arrays)
    width = max(array.shape[1] for array in arrays)
    rows = sum(len(array) for array in arrays)
    out = np.full((rows, width, *arrays[0].shape[2:]), PADDING, arrays[0].dtype)
    start = 0
    for array in arrays:
        out[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return out


def batch_size_of(inputs: Any) -> int | None:
    """The number of rows of the first array found, or None."""
    if isinstance(inputs, Mapping):
        inputs = list(inputs.values())
    if isinstance(inputs, (list, tuple)):
        sizes = (batch_size_of(value) for value in inputs)
        return next((size for size in sizes if size is not None), None)
    return len(inputs) if isinstance(inputs, np.ndarray) and inputs.ndim else None


def plain(value: Any) -> Any:
    """NumPy scalars and arrays of one element as Python numbers, inside lists and dictionaries."""
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        return value.item()
    return value
