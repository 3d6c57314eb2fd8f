"""Making rows equally long: fresh encodings during a call, and `pad` for what users collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tokenizers import Encoding

from .encoding import BatchEncoding
from .special_tokens import SpecialTokensMixin
from .strategies import PaddingStrategy, Plan


def _round_up(length: int, multiple: int | None) -> int:
    return -(-length // multiple) * multiple if multiple else length


class PaddingMixin(SpecialTokensMixin):
    """`pad` and its helpers, for a tokenizer that knows its padding token and side."""

    def _padder(
        self, plan: Plan, pad_to_multiple_of: int | None, padding_side: str | None
    ) -> Callable[[list[Encoding]], None]:
        """Return a function that pads fresh encodings, and their windows, in place."""
        if plan.padding is PaddingStrategy.DO_NOT_PAD:
            return lambda encodings: None
        side = padding_side or self.padding_side
        if side not in ("left", "right"):
            raise ValueError(f"padding_side must be 'left' or 'right', got {side!r}")
        fixed = plan.max_length if plan.padding is PaddingStrategy.MAX_LENGTH else None
        options = {
            "direction": side,
            "pad_id": self.pad_token_id,
            "pad_type_id": self.pad_token_type_id,
            "pad_token": self.pad_token,
        }

        def pad(encodings: list[Encoding]) -> None:
            length = max(map(len, encodings)) if fixed is None else fixed
            length = _round_up(length, pad_to_multiple_of)
            for encoding in encodings:
                encoding.pad(length, **options)

        return pad

    def pad(
        self,
        encoded_inputs: Any,
        padding: bool | str | PaddingStrategy = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad encoded rows to one length.

        encoded_inputs: one encoding, a dictionary of rows, or a list of encodings; values are
            lists or arrays. Only `model_input_names[0]`, "attention_mask", "token_type_ids" and
            "special_tokens_mask" are padded; the rest is passed through.
        -> BatchEncoding of lists, or of arrays if arrays came in or `return_tensors` is given.
        Raises ValueError if the first name of `model_input_names` is missing.
        """
        main = self.model_input_names[0]
        if isinstance(encoded_inputs, (list, tuple)) and isinstance(encoded_inputs[0], Mapping):
            first = encoded_inputs[0]
            encoded_inputs = {name: [row[name] for row in encoded_inputs] for name in first}
        if main not in encoded_inputs:
            provided = encoded_inputs if isinstance(encoded_inputs, Mapping) else {}
            raise ValueError(
                "You should supply an encoding or a list of encodings to this method "
                f"that includes {main}, but you provided {list(provided)}"
            )
        rows = encoded_inputs[main]
        if rows is None or len(rows) == 0:
            if return_attention_mask:
                encoded_inputs["attention_mask"] = []
            return encoded_inputs
        if return_tensors is None and _holds_arrays(rows):
            return_tensors = "np"
        data = {name: _as_lists(value) for name, value in encoded_inputs.items()}
        plan = self._plan(padding, None, max_length, None, verbose)
        return self._pad_lists(
            data, plan, pad_to_multiple_of, padding_side, return_attention_mask, return_tensors
        )

    def _pad_lists(
        self,
        data: dict[str, Any],
        plan: Plan,
        pad_to_multiple_of: int | None,
        padding_side: str | None,
        return_attention_mask: bool | None,
        return_tensors: str | None,
    ) -> BatchEncoding:
        main = self.model_input_names[0]
        single = not isinstance(data[main][0], (list, tuple))
        if single:
            data = {name: [value] for name, value in data.items()}
        count = len(data[main])
        if any(len(column) != count for column in data.values()):
            sizes = {name: len(column) for name, column in data.items()}
            raise ValueError(
                "Some items in the output dictionary have a different batch size than others: "
                f"{sizes}"
            )
        lengths = [len(row) for row in data[main]]
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        if return_attention_mask and "attention_mask" not in data:
            data["attention_mask"] = [[1] * length for length in lengths]
        if plan.padding is not PaddingStrategy.DO_NOT_PAD:
            target = max(lengths)
            if plan.padding is PaddingStrategy.MAX_LENGTH and plan.max_length is not None:
                target = plan.max_length
            target = _round_up(target, pad_to_multiple_of)
            fills = {
                "token_type_ids": self.pad_token_type_id,
                "special_tokens_mask": 1,
                main: self.pad_token_id,
            }
            if return_attention_mask:
                fills["attention_mask"] = 0
            side = padding_side or self.padding_side
            if side not in ("left", "right"):
                raise ValueError(f"padding_side must be 'left' or 'right', got {side!r}")
            for name in fills.keys() & data.keys():
                data[name] = [
                    _extend(list(row), [fills[name]] * (target - length), side)
                    for row, length in zip(data[name], lengths)
                ]
        if single:
            data = {name: column[0] for name, column in data.items()}
        return BatchEncoding(data, tensor_type=return_tensors)


def _extend(row: list[Any], filling: list[Any], side: str) -> list[Any]:
    return row + filling if side == "right" else filling + row


def _holds_arrays(rows: Any) -> bool:
    """Whether the rows are arrays, or the ids array scalars."""
    first = rows[0]
    if isinstance(first, (list, tuple)):
        first = next((row[0] for row in rows if len(row)), 0)
    if isinstance(first, (int, list, tuple)):
        return False
    if not isinstance(first, (np.ndarray, np.generic)):
        raise ValueError(
            f"type of {first} unknown: {type(first)}. Should be one of a python or numpy object."
        )
    return True


def _as_lists(value: Any) -> Any:
    """Turn arrays, and lists that hold arrays, into lists; rows of int stay as they are."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    nested = (list, tuple, np.ndarray, np.generic)
    if isinstance(value, (list, tuple)) and any(isinstance(item, nested) for item in value[:1]):
        return [_as_lists(item) for item in value]
    return value
