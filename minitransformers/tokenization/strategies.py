"""The options of a tokenizer call: which names they take, and what they resolve to."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

logger = logging.getLogger("minitransformers.tokenization")

# `model_max_length` of a tokenizer that knows no limit; above LARGE_INTEGER a limit is none.
VERY_LARGE_INTEGER = int(1e30)
LARGE_INTEGER = int(1e20)

LABELLED_TENSORS = ("pt", "tf", "jax", "np", "mlx")


class InputTypeError(TypeError, ValueError):
    """An argument of the wrong type; callers may catch it under either name."""


class PreconditionError(AssertionError, ValueError):
    """A call that the tokenizer's settings rule out."""


class _NamedStrategy(str, Enum):
    @classmethod
    def _missing_(cls, value: object) -> Any:
        known = ", ".join(repr(member.value) for member in cls)
        raise ValueError(f"{value!r} is not a valid {cls.__name__}, please select one of {known}")


class PaddingStrategy(_NamedStrategy):
    LONGEST = "longest"
    MAX_LENGTH = "max_length"
    DO_NOT_PAD = "do_not_pad"


class TruncationStrategy(_NamedStrategy):
    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    LONGEST_FIRST = "longest_first"
    DO_NOT_TRUNCATE = "do_not_truncate"


class TensorType(_NamedStrategy):
    """Every name of a framework is accepted and means NumPy arrays."""

    PYTORCH = "pt"
    TENSORFLOW = "tf"
    NUMPY = "np"
    JAX = "jax"
    MLX = "mlx"


class Plan(NamedTuple):
    """What one call does to lengths: resolved, so that nothing is decided per row."""

    padding: PaddingStrategy
    truncation: TruncationStrategy
    max_length: int | None


def resolve_strategies(
    *,
    padding: bool | str | PaddingStrategy,
    truncation: bool | str | TruncationStrategy | None,
    max_length: int | None,
    pad_to_multiple_of: int | None,
    model_max_length: int,
    has_pad_token: bool,
    remind: Callable[[str, str], None],
    verbose: bool = True,
) -> Plan:
    """Turn the arguments `padding`, `truncation` and `max_length` into a plan.

    remind: called with (topic, message), logs a message once per topic.
    Raises ValueError for an unknown strategy, a missing padding token, or a `max_length` that
    is no multiple of `pad_to_multiple_of` when both matter.
    """
    if max_length is not None and padding is False and truncation is None:
        remind(
            "truncation",
            "`max_length` is set but `truncation` is not: sequences are cut to `max_length` "
            "('longest_first'). Pass `truncation=True` to say so, or `truncation=False`.",
        )
        truncation = TruncationStrategy.LONGEST_FIRST
    pad = _padding_strategy(padding)
    cut = _truncation_strategy(truncation)
    no_truncation = cut is TruncationStrategy.DO_NOT_TRUNCATE
    if verbose and padding is True and max_length is not None and no_truncation:
        warnings.warn(
            "`max_length` is ignored when `padding`=`True` and there is no truncation strategy. "
            "To pad to max length, use `padding='max_length'`.",
            stacklevel=4,
        )
    if max_length is None and (pad is PaddingStrategy.MAX_LENGTH or not no_truncation):
        if model_max_length <= LARGE_INTEGER:
            max_length = model_max_length
        else:
            if pad is PaddingStrategy.MAX_LENGTH:
                remind(
                    "pad to max_length",
                    "Asking to pad to max_length but neither `max_length` nor the model gives a "
                    "length: nothing is padded.",
                )
                pad = PaddingStrategy.DO_NOT_PAD
            if not no_truncation:
                remind(
                    "truncate to max_length",
                    "Asking to truncate but neither `max_length` nor the model gives a length: "
                    "nothing is truncated.",
                )
                cut = TruncationStrategy.DO_NOT_TRUNCATE
    if pad is not PaddingStrategy.DO_NOT_PAD and not has_pad_token:
        raise ValueError(
            "Asking to pad but the tokenizer does not have a padding token. Please select a token "
            "to use as `pad_token` `(tokenizer.pad_token = tokenizer.eos_token e.g.)` or add a new "
            "pad token via `tokenizer.add_special_tokens({'pad_token': '[PAD]'})`."
        )
    if (
        cut is not TruncationStrategy.DO_NOT_TRUNCATE
        and pad is not PaddingStrategy.DO_NOT_PAD
        and pad_to_multiple_of is not None
        and max_length is not None
        and max_length % pad_to_multiple_of != 0
    ):
        raise ValueError(
            "Truncation and padding are both activated but truncation length "
            f"({max_length}) is not a multiple of pad_to_multiple_of ({pad_to_multiple_of})."
        )
    return Plan(pad, cut, max_length)


def _padding_strategy(padding: bool | str | PaddingStrategy) -> PaddingStrategy:
    if padding is True:
        return PaddingStrategy.LONGEST
    return PaddingStrategy.DO_NOT_PAD if padding is False else PaddingStrategy(padding)


def _truncation_strategy(truncation: bool | str | TruncationStrategy | None) -> TruncationStrategy:
    if truncation is True:
        return TruncationStrategy.LONGEST_FIRST
    if truncation is False or truncation is None:
        return TruncationStrategy.DO_NOT_TRUNCATE
    return TruncationStrategy(truncation)
