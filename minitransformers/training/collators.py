"""Collators: lists of rows -> batches of arrays, with transformers' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

IGNORED = -100  # the label of positions that have none


def check_framework(return_tensors: str) -> None:
    """Raise ValueError for anything but "pt" and "np", both of which give NumPy's arrays."""
    if return_tensors not in ("pt", "np"):
        raise ValueError(
            f"return_tensors {return_tensors!r} not recognized: 'pt' and 'np' both give arrays"
        )


def default_data_collator(features: list[Any], return_tensors: str = "pt") -> dict[str, Any]:
    """Stack what the rows have in common.

    features: dictionaries, or objects with attributes; texts and None are left out, "label" and
        "label_ids" become "labels"
    return_tensors: "pt" makes float32 of numbers with a fraction, "np" float64
    """
    check_framework(return_tensors)
    rows = [row if isinstance(row, Mapping) else vars(row) for row in features]
    first = rows[0]
    floating = np.float32 if return_tensors == "pt" else np.float64
    batch: dict[str, Any] = {}
    for name in ("label", "label_ids"):
        if first.get(name) is not None:
            labels = np.stack([np.asarray(row[name]) for row in rows])
            if name == "label" and labels.ndim > 1:
                labels = labels.astype(np.float32)  # ones and zeros of several labels
            elif not isinstance(first[name], np.ndarray) or labels.ndim == 1:
                labels = labels.astype(np.int64 if labels.dtype.kind in "iub" else np.float32)
            batch["labels"] = labels
            break
    for name, value in first.items():
        if name in ("label", "label_ids") or value is None or isinstance(value, str):
            continue
        batch[name] = np.stack([np.asarray(row[name]) for row in rows])
        if batch[name].dtype == np.float64 and not isinstance(value, (np.ndarray, np.generic)):
            batch[name] = batch[name].astype(floating)
    return batch


@dataclass
class DefaultDataCollator:
    """`default_data_collator` as an object."""

    return_tensors: str = "pt"

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> dict[str, Any]:
        return default_data_collator(features, return_tensors or self.return_tensors)


@dataclass
class DataCollatorWithPadding:
    """Pad rows to one length by the tokenizer; "label" and "label_ids" become "labels".

    padding, max_length, pad_to_multiple_of: as `tokenizer.pad` takes them
    """

    tokenizer: Any
    padding: Any = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"

    def __call__(self, features: list[Any]) -> Any:
        check_framework(self.return_tensors)
        batch = padded(self, features, self.return_tensors)
        for name in ("label", "label_ids"):
            if name in batch:
                batch["labels"] = batch.pop(name)
        return batch


@dataclass
class DataCollatorForTokenClassification:
    """Pad rows, and their "labels" or "label", one a token, by `label_pad_token_id`."""

    tokenizer: Any
    padding: Any = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    label_pad_token_id: int = IGNORED
    return_tensors: str = "pt"

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> Any:
        check_framework(return_tensors or self.return_tensors)
        name, labels, rest = without_labels(features)
        batch = padded(self, rest, "np")
        if labels is not None:
            length = batch["input_ids"].shape[1]
            batch[name] = padded_labels(
                labels, length, self.label_pad_token_id, self.tokenizer.padding_side
            )
        return batch


@dataclass
class DataCollatorForSeq2Seq:
    """Pad rows, and their "labels" or "label", texts of their own length.

    model: if it can, it derives decoder_input_ids from the labels
    padding: False leaves both as they are
    """

    tokenizer: Any
    model: Any = None
    padding: Any = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    label_pad_token_id: int = IGNORED
    return_tensors: str = "pt"

    def __call__(self, features: list[Any], return_tensors: str | None = None) -> Any:
        framework = return_tensors or self.return_tensors
        check_framework(framework)
        _, labels, rest = without_labels(features)
        if labels is not None and all(row is None for row in labels):
            labels = None
        batch = padded(self, rest, framework)
        if labels is None:
            batch["labels"] = None
            return batch
        if self.padding is False or self.padding == "do_not_pad":
            batch["labels"] = np.array([np.asarray(row) for row in labels], np.int64)
        else:
            fixed = self.padding == "max_length" and self.max_length is not None
            length = self.max_length if fixed else max(map(len, labels))
            assert length is not None
            if self.pad_to_multiple_of is not None:
                length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
            batch["labels"] = padded_labels(
                labels, length, self.label_pad_token_id, self.tokenizer.padding_side
            )
        shift = getattr(self.model, "prepare_decoder_input_ids_from_labels", None)
        if shift is not None:
            batch["decoder_input_ids"] = shift(labels=batch["labels"])
        return batch


@dataclass
class DataCollatorForMultipleChoice:
    """Pad rows of several choices each: every field is a list with an entry a choice.

    -> arrays (batch, choices, seq); "labels" (batch,) the right choice
    """

    tokenizer: Any
    padding: Any = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"

    def __call__(self, features: list[Any]) -> Any:
        check_framework(self.return_tensors)
        _, labels, rest = without_labels(features)
        choices = len(next(iter(rest[0].values())))
        flat = [{name: row[name][i] for name in row} for row in rest for i in range(choices)]
        batch = padded(self, flat, "np")
        for name, value in list(batch.items()):
            batch[name] = value.reshape(len(features), choices, -1)
        if labels is not None:
            batch["labels"] = np.asarray(labels, np.int64)
        return batch


class DataCollatorWithFlattening(DefaultDataCollator):
    """Join all rows to one, (1, tokens), without padding.

    return_position_ids: whether positions begin anew with each row
    separator_id: the label of each row's first token
    Attention here does not stop at the borders between rows.
    """

    def __init__(
        self, return_tensors: str = "pt", *, return_position_ids: bool = True,
        separator_id: int = IGNORED,
    ):  # fmt: skip
        super().__init__(return_tensors)
        self.return_position_ids, self.separator_id = return_position_ids, separator_id

    def __call__(
        self,
        features: list[Any],
        return_tensors: str | None = None,
        separator_id: int | None = None,
    ) -> dict[str, Any]:
        first = self.separator_id if separator_id is None else separator_id
        source = "labels" if "labels" in features[0] else "input_ids"
        row: dict[str, list] = {"input_ids": [], "labels": []}
        if self.return_position_ids:
            row["position_ids"] = []
        for feature in features:
            row["input_ids"] += list(feature["input_ids"])
            row["labels"] += [first, *feature[source][1:]]
            if self.return_position_ids:
                row["position_ids"] += range(len(feature["input_ids"]))
        return super().__call__([row], return_tensors)


def padded(collator: Any, rows: list[Any], return_tensors: str) -> Any:
    """Pad by the tokenizer, as the collator's fields say."""
    return collator.tokenizer.pad(
        rows,
        padding=collator.padding,
        max_length=collator.max_length,
        pad_to_multiple_of=collator.pad_to_multiple_of,
        return_tensors=return_tensors,
    )


def without_labels(features: list[Any]) -> tuple[str, list | None, list[dict[str, Any]]]:
    """-> the name of the rows' labels, these labels or None, the rows without them"""
    name = "label" if "label" in features[0] else "labels"
    labels = [row[name] for row in features] if name in features[0] else None
    return name, labels, [{k: v for k, v in row.items() if k != name} for row in features]


def padded_labels(labels: Sequence[Any], length: int, pad: int, side: str) -> np.ndarray:
    """Rows of labels, filled up on one side. -> (batch, length) int64"""
    out = np.full((len(labels), length), pad, np.int64)
    for row, given in zip(out, labels):
        if side == "right":
            row[: len(given)] = given
        else:
            row[length - len(given) :] = given
    return out
