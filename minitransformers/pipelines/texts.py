"""From texts to a model's inputs: checked, and no longer than the model can take."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from ..logging import warning_once
from ..tokenization.strategies import VERY_LARGE_INTEGER, InputTypeError

# The first position of these models' texts is not 0: their tables have two rows that stay unused.
_OFFSET_POSITIONS = ("camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl")
_TABLELESS = ("rope_theta", "relative_attention_num_buckets", "position_buckets", "alibi")


def check_text(task: str, text: Any) -> str:
    """Return the text. Raises ValueError for anything else."""
    if isinstance(text, str):
        return text
    raise InputTypeError(
        f"{task}: text input must be of type `str`, a list or a stream of them; got "
        f"{type(text).__name__} ({str(text)[:60]})"
    )


def check_keywords(task: str, given: Iterable[str], accepted: Iterable[str]) -> None:
    """Raise an error, both TypeError and ValueError, that names the keywords nobody knows."""
    unknown = [name for name in given if name not in set(accepted)]
    if unknown:
        raise InputTypeError(
            f"{task} got unexpected keyword arguments {unknown}; it takes "
            f"{', '.join(sorted(set(accepted)))}"
        )


def tokenizer_keywords(tokenizer: Any) -> set[str]:
    """The keywords that a call of the tokenizer takes."""
    names = inspect.signature(type(tokenizer).__call__).parameters
    return {*names, "split_special_tokens"} - {"self", "kwargs", "return_tensors"}


def longest_input(model: Any) -> int | None:
    """How many tokens the model's table of positions has; None if it has no such table."""
    config = model.config
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    if any(getattr(config, name, None) for name in _TABLELESS) or config.is_encoder_decoder:
        return None
    return positions - 2 if config.model_type in _OFFSET_POSITIONS else positions


def longest_allowed(pipe: Any) -> int | None:
    """How many tokens the tokenizer lets pass, or the model can take; None if there is no limit."""
    stated = pipe.tokenizer.model_max_length
    limits = [stated if 0 < stated < VERY_LARGE_INTEGER else None, longest_input(pipe.model)]
    return min((limit for limit in limits if limit is not None), default=None)


def warn_of_cut(pipe: Any, length: int, limit: int, remedy: str) -> None:
    """Say once that a text is cut. remedy: what to do instead"""
    warning_once(
        f"An input is longer than {type(pipe.model).__name__} can take ({length} > {limit} "
        f"tokens): what lies beyond is cut off. To decide otherwise, {remedy}, or split the text."
    )


def encode(pipe: Any, text: Any, text_pair: Any = None, **options: Any) -> Any:
    """Tokenize for a pipeline's model. -> BatchEncoding of arrays (1, seq)

    A text that the model's positions cannot hold is cut, with a warning, unless `options` say what
    to do about its length.
    """
    options = {"return_tensors": "np", "verbose": False} | options
    encoded = pipe.tokenizer(text, text_pair, **options)
    limit = longest_input(pipe.model)
    length = encoded["input_ids"].shape[-1]
    if not length:
        raise ValueError(f"{pipe.task}: the text {text!r} has no tokens")
    if limit is None or length <= limit or options.get("truncation") not in (None, False):
        return encoded
    warn_of_cut(pipe, length, limit, "pass truncation and max_length")
    options |= {"truncation": True, "max_length": limit}
    return pipe.tokenizer(text, text_pair, **options)


def text_model_inputs(pipe: Any, encoded: Any) -> dict[str, Any]:
    """What of an encoding the model takes."""
    accepted = pipe.model.accepted()
    return {name: x for name, x in encoded.items() if name in accepted}


def run_model(model: Any, inputs: Any) -> Any:
    """Call the model once, without a cache. inputs: by name; what it does not take is left out"""
    inputs = {name: x for name, x in inputs.items() if name in model.accepted()}
    return model(**inputs, use_cache=False)
