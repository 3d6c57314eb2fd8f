"""Ids that are already there: special tokens, truncation and padding around them, in Python."""

from __future__ import annotations

from typing import Any

from .encoding import BatchEncoding
from .padding import PaddingMixin
from .strategies import PaddingStrategy, TruncationStrategy, logger

Ids = list[int]


class PreparationMixin(PaddingMixin):
    """`prepare_for_model` and `truncate_sequences`."""

    def prepare_for_model(
        self,
        ids: Ids,
        pair_ids: Ids | None = None,
        add_special_tokens: bool = True,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool | str | TruncationStrategy | None = None,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        prepend_batch_axis: bool = False,
        **_: Any,
    ) -> BatchEncoding:
        """Make an encoding of the ids of one text or two, as a call makes it of the texts.

        Overflowing ids are returned as one list, "overflowing_tokens", beside
        "num_truncated_tokens". Raises ValueError for options that exclude each other.
        """
        plan = self._plan(padding, truncation, max_length, pad_to_multiple_of, verbose)
        pair = pair_ids is not None
        if return_token_type_ids and not add_special_tokens:
            raise ValueError(
                "return_token_type_ids needs add_special_tokens=True: without special tokens the "
                "types are undefined."
            )
        if return_overflowing_tokens and pair and plan.truncation.value == "longest_first":
            raise ValueError(
                "Not possible to return overflowing tokens for pair of sequences with the "
                "`longest_first`. Please select another truncation strategy, for instance "
                "`only_second` or `only_first`."
            )
        if return_token_type_ids is None:
            return_token_type_ids = "token_type_ids" in self.model_input_names
        added = self.num_special_tokens_to_add(pair) if add_special_tokens else 0
        excess = len(ids) + len(pair_ids or []) + added - (plan.max_length or 0)
        overflow: Ids = []
        cut = plan.truncation is not TruncationStrategy.DO_NOT_TRUNCATE and plan.max_length
        if cut and excess > 0:
            ids, pair_ids, overflow = self.truncate_sequences(
                ids, pair_ids, excess, plan.truncation, stride
            )
        data: dict[str, Any] = {}
        if return_overflowing_tokens:
            data["overflowing_tokens"], data["num_truncated_tokens"] = overflow, excess
        if add_special_tokens:
            sequence = self.build_inputs_with_special_tokens(ids, pair_ids)
            types = self.create_token_type_ids_from_sequences(ids, pair_ids)
        else:
            sequence = ids + (pair_ids or [])
            types = [0] * len(sequence)
        data["input_ids"] = sequence
        if return_token_type_ids:
            data["token_type_ids"] = types
        if return_special_tokens_mask:
            data["special_tokens_mask"] = (
                self.get_special_tokens_mask(ids, pair_ids)
                if add_special_tokens
                else [0] * len(sequence)
            )
        if plan.max_length is None and verbose:
            self._warn_if_too_long([sequence])
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        if not sequence:  # nothing to pad: `pad` leaves an empty text as it is
            data |= {"attention_mask": []} if return_attention_mask else {}
        elif plan.padding is not PaddingStrategy.DO_NOT_PAD or return_attention_mask:
            padded = self._pad_lists(
                data, plan, pad_to_multiple_of, padding_side, return_attention_mask, None
            )
            data = dict(padded)
        if return_length:
            data["length"] = len(data["input_ids"])
        return BatchEncoding(
            data, tensor_type=return_tensors, prepend_batch_axis=prepend_batch_axis
        )

    def truncate_sequences(
        self,
        ids: Ids,
        pair_ids: Ids | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: str | TruncationStrategy = "longest_first",
        stride: int = 0,
    ) -> tuple[Ids, Ids | None, Ids]:
        """Remove ids by a strategy; return (ids, pair_ids, the overflowing ids).

        A sequence that is too short for its strategy stays as it is, and an error is logged.
        """
        strategy, count = TruncationStrategy(truncation_strategy), num_tokens_to_remove
        if count <= 0:
            return ids, pair_ids, []
        if strategy is TruncationStrategy.LONGEST_FIRST and pair_ids is not None:
            longer, shorter = max(len(ids), len(pair_ids)), min(len(ids), len(pair_ids))
            first = min(longer - shorter, count)
            half = (count - first) // 2
            if len(ids) > len(pair_ids):
                removals = first + half, count - first - half
            else:
                removals = half, count - half
            return self._cut(ids, removals[0]), self._cut(pair_ids, removals[1]), []
        second = strategy is TruncationStrategy.ONLY_SECOND
        target = pair_ids if second else ids
        if strategy is TruncationStrategy.DO_NOT_TRUNCATE or target is None:
            return ids, pair_ids, []
        if len(target) <= count:
            logger.error(
                "We need to remove %d tokens to truncate the input, but the %s sequence has only "
                "%d. Please select another truncation strategy than %s.",
                *(count, "second" if second else "first", len(target), strategy.value),
            )
            return ids, pair_ids, []
        window = min(len(target), stride + count)
        left = self.truncation_side == "left"
        overflow = target[:window] if left else target[-window:]
        if second:
            return ids, self._cut(target, count), overflow
        return self._cut(ids, count), pair_ids, overflow

    def _cut(self, ids: Ids, count: int) -> Ids:
        return ids[count:] if self.truncation_side == "left" else ids[: max(0, len(ids) - count)]
