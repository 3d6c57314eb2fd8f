"""What the pipelines that generate have in common."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..generation.config import GenerationConfig
from ..generation.generate import generate
from ..logging import warning_once
from . import texts

# Arguments of generate() that are neither in its signature, nor parameters, nor the model's.
_MORE = {
    "assistant_model",
    "tokenizer",
    "encoder_outputs",
    "past_key_values",
    "negative_prompt_ids",
    "negative_prompt_attention_mask",
    "use_model_defaults",
}
# Parameters whose effect depends on the ids of a prompt or on its length, of which padding is part.
_LOOK_BACK = {
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "encoder_no_repeat_ngram_size": 0,
    "min_length": 0,
    "bad_words_ids": None,
    "sequence_bias": None,
    "constraints": None,
    "force_words_ids": None,
    "stop_strings": None,
    "prompt_lookup_num_tokens": None,
    "dola_layers": None,
    "guidance_scale": None,
    "exponential_decay_length_penalty": None,
    "forced_decoder_ids": None,
    "penalty_alpha": None,
    "max_time": None,
}
_CUSTOM = {
    "logits_processor",
    "stopping_criteria",
    "prefix_allowed_tokens_fn",
    "assistant_model",
    "streamer",
}


def check_generation_keywords(pipe: Any, given: Any, own: tuple[str, ...]) -> None:
    """Raise for keywords that neither the pipeline nor generate() knows."""
    known = {*own, *inspect.signature(generate).parameters, *vars(GenerationConfig())}
    known |= {*vars(pipe.model.generation_config), *pipe.model.accepted(), *_MORE, "batch_size"}
    hidden = {"model", "kwargs", "inputs", "self", "generation_kwargs"}
    known = {name for name in known if not name.startswith("_")} - hidden
    texts.check_keywords(type(pipe).__name__, given, known)


def parameter(pipe: Any, keywords: dict[str, Any], name: str) -> Any:
    """The generation parameter in force."""
    if name in keywords:
        return keywords[name]
    return getattr(keywords.get("generation_config") or pipe.generation_config, name, None)


def looks_back(pipe: Any, keywords: dict[str, Any]) -> bool:
    """Whether a text's continuation would change with padding before it."""
    if any(keywords.get(name) is not None for name in _CUSTOM):
        return True
    return any(
        parameter(pipe, keywords, name) not in (None, neutral)
        for name, neutral in _LOOK_BACK.items()
    )


def stop_token(tokenizer: Any, stop_sequence: str) -> int:
    """The first token of a sequence that ends a text."""
    ids = tokenizer.encode(stop_sequence, add_special_tokens=False)
    if not ids:
        raise ValueError(f"stop_sequence {stop_sequence!r} has no token")
    if len(ids) > 1:
        warning_once(
            "Stopping on a multiple token sequence is not supported by stop_sequence: its first "
            "token will be used as the stop token. stop_strings stops on any text."
        )
    return ids[0]


def run_generate(pipe: Any, inputs: dict[str, Any], keywords: dict[str, Any]) -> np.ndarray:
    """Call generate() with the pipeline's parameters. -> (inputs, returned, length) ids"""
    examples = next((len(x) for x in inputs.values() if isinstance(x, np.ndarray)), 1)
    keywords = {"generation_config": pipe.generation_config} | keywords
    config = keywords["generation_config"]
    if config.max_new_tokens is None and keywords.get("max_new_tokens") is None:
        keywords.setdefault("max_length", config.max_length)  # a choice, nothing to remark on
    if keywords.get("max_length", 0) is None:
        del keywords["max_length"]
    ids = pipe.model.generate(**inputs, **keywords)
    ids = np.asarray(getattr(ids, "sequences", ids))
    return ids.reshape(examples, len(ids) // examples, -1)


def without_padding(
    pipe: Any, ids: np.ndarray, prompt: int, keywords: dict[str, Any]
) -> np.ndarray:
    """Drop the columns that only stand beside longer texts of the batch.

    ids: (returned, length); prompt: length of the prompt in them -> (returned, shorter)
    """
    eos = parameter(pipe, keywords, "eos_token_id")
    if eos is None:
        return ids
    ends = np.isin(ids[:, prompt:], np.atleast_1d(eos))
    longest = np.where(ends.any(axis=1), ends.argmax(axis=1) + 1, ends.shape[1]).max(initial=0)
    return ids[:, : prompt + longest]


def rows(items: list) -> Any:
    """As `_forward` returns them: of one input the thing itself, of several a list."""
    return items[0] if len(items) == 1 else items
