"""From the arguments of `generate` to what the loop needs: parameters, prompt, lengths."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np

from ..logging import warning_once
from .config import DEFAULTS, GenerationConfig

_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


@dataclasses.dataclass
class Request:
    """A call of `generate`, prepared.

    config: parameters in force, max_length and min_length in tokens of the whole text
    inputs: what the model is given beside the prompt
    prompt: (examples, seq) ids of the decoder's prompt
    source: (examples, seq) ids that encoder_* processors look at, or None
    eos: (n,) ids that end a text, or None; pad: id that fills behind it, or None
    """

    config: GenerationConfig
    inputs: dict[str, Any]
    prompt: np.ndarray
    source: np.ndarray | None
    eos: np.ndarray | None
    pad: int | None


def prepare(model: Any, ids: Any, config: GenerationConfig | None, kwargs: dict) -> Request:
    """Raises ValueError for arguments that are unknown, contradict each other or cannot work."""
    parameters, inputs = _parameters(model, config, kwargs)
    _check_names(model, inputs)
    inputs = {n: _array(x) for n, x in inputs.items() if x is not None}
    main = _main_input(model, ids, inputs, parameters)
    examples = 1 if main is None else len(main)
    eos, pad = _special_tokens(model, parameters, "attention_mask" in inputs, examples)
    prompt, source = _prompt(model, main, inputs, parameters)
    _attention_mask(inputs, inputs.get("inputs_embeds"), source, eos, pad)
    if not model.config.is_encoder_decoder:
        _warn_of_right_padding(prompt, inputs.get("attention_mask"), pad)
    _lengths(model, parameters, kwargs, prompt, inputs)
    return Request(parameters, inputs, prompt, source, eos, pad)


def _parameters(
    model: Any, config: GenerationConfig | None, kwargs: dict
) -> tuple[GenerationConfig, dict]:
    """The parameters in force, as a copy, and the keywords that are inputs of the model."""
    if config is None:
        parameters = copy.deepcopy(model.generation_config.follows(model.config))
    else:
        parameters = copy.deepcopy(config)
        for name in _TOKENS:
            if getattr(parameters, name) is None:
                setattr(parameters, name, getattr(model.generation_config, name))
    return parameters, parameters.update(**kwargs)


def _check_names(model: Any, inputs: dict[str, Any]) -> None:
    accepted = {*model.accepted(), "encoder_outputs", "past_key_values", "use_cache"}
    unknown = [name for name, x in inputs.items() if name not in accepted and x is not None]
    unknown += [name for name in model.targets if name in inputs]
    if unknown:
        raise ValueError(
            f"The following `model_kwargs` are not used by the model: {unknown} (note: typos in "
            "the generate arguments will also show up in this list)"
        )


def _array(x: Any) -> Any:
    return np.asarray(x) if isinstance(x, list) or hasattr(x, "__array__") else x


def _main_input(model: Any, ids: Any, inputs: dict[str, Any], config: GenerationConfig) -> Any:
    """The prompt's ids, or an encoder's; taken out of the inputs. None if embeddings are given."""
    named = inputs.pop("input_ids", None)
    if ids is not None and named is not None:
        raise ValueError(
            "`inputs` were passed alongside `input_ids`, which is not allowed: pass one of them"
        )
    ids = _array(named if ids is None else ids)
    if ids is None:
        return None
    if hasattr(ids, "keys"):
        raise ValueError(
            "generate() was given a whole encoding as its first argument: unpack it, "
            "model.generate(**encoding)"
        )
    if not isinstance(ids, np.ndarray) or ids.ndim != 2 or ids.dtype.kind not in "iu":
        found = f"{ids.dtype} of shape {ids.shape}" if isinstance(ids, np.ndarray) else type(ids)
        raise ValueError(f"input_ids must be integers of shape (batch, seq), not {found}")
    return ids.astype(np.int64, copy=False)


def _special_tokens(
    model: Any, config: GenerationConfig, has_mask: bool, examples: int
) -> tuple[np.ndarray | None, int | None]:
    """-> eos as an array or None, pad as an integer or None"""
    eos = None if config.eos_token_id is None else np.atleast_1d(config.eos_token_id)
    if eos is not None and (eos.dtype.kind not in "iu" or (eos < 0).any()):
        warning_once(
            f"`eos_token_id` should consist of positive integers, but is {eos.tolist()}. Your "
            "generation will not stop until the maximum length is reached."
        )
    pad = config.pad_token_id
    if pad is None and eos is not None:
        if not has_mask and examples > 1 and not model.config.is_encoder_decoder:
            warning_once(
                "The attention mask and the pad token id were not set, so padding cannot be told "
                "from text. Please pass your input's `attention_mask` to obtain reliable results."
            )
        pad = int(eos[0])
    return eos, None if pad is None else int(pad)


def _prompt(
    model: Any, ids: np.ndarray | None, inputs: dict[str, Any], config: GenerationConfig
) -> tuple[np.ndarray, np.ndarray | None]:
    """-> the decoder's prompt, and the ids that encoder_* processors look at"""
    if model.config.is_encoder_decoder:
        if ids is not None and "encoder_outputs" not in inputs:
            inputs["input_ids"] = ids
        return _decoder_prompt(ids, inputs, config), ids
    if ids is None:
        batch = next((len(x) for x in inputs.values() if isinstance(x, np.ndarray)), 1)
        if "inputs_embeds" in inputs:
            return np.zeros((batch, 0), np.int64), None
        if config.bos_token_id is None:
            raise ValueError(
                "generate() was given no prompt, and there is no bos_token_id to start from: pass "
                "input_ids, or set bos_token_id"
            )
        ids = np.full((batch, 1), config.bos_token_id, np.int64)
    elif not ids.shape[1] and "inputs_embeds" not in inputs:
        raise ValueError("the prompt is empty: pass at least one token, or no input_ids at all")
    return ids, ids


def _decoder_prompt(
    ids: np.ndarray | None, inputs: dict[str, Any], config: GenerationConfig
) -> np.ndarray:
    start = config.decoder_start_token_id
    if start is None:
        start = config.bos_token_id
    if start is None:
        raise ValueError(
            "`decoder_start_token_id` or `bos_token_id` has to be defined for encoder-decoder "
            "generation."
        )
    examples = _examples(ids, inputs)
    first = np.broadcast_to(np.reshape(start, (-1, 1)), (examples, 1)).astype(np.int64)
    prompt = inputs.pop("decoder_input_ids", None)
    if prompt is None:
        return first
    if (prompt[:, :1] != first).all():
        prompt = np.concatenate([first, prompt], axis=1)
        mask = inputs.get("decoder_attention_mask")
        if mask is not None:
            inputs["decoder_attention_mask"] = np.concatenate([mask[:, :1], mask], axis=1)
    return prompt.astype(np.int64, copy=False)


def _examples(ids: np.ndarray | None, inputs: dict[str, Any]) -> int:
    if ids is not None:
        return len(ids)
    if "encoder_outputs" in inputs:
        encoded = inputs["encoder_outputs"]
        return len(encoded if isinstance(encoded, np.ndarray) else encoded[0])
    if "inputs_embeds" in inputs:
        return len(inputs["inputs_embeds"])
    raise ValueError("generate() needs input_ids, inputs_embeds or encoder_outputs to encode")


def _attention_mask(
    inputs: dict[str, Any],
    embeds: np.ndarray | None,
    ids: np.ndarray | None,
    eos: np.ndarray | None,
    pad: int | None,
) -> None:
    """Check the mask, or tell padding from the ids where a padding token has no other meaning."""
    mask = inputs.get("attention_mask")
    if mask is not None:
        if mask.ndim != 2:
            raise ValueError(f"`attention_mask` passed to `generate` must be 2D, not {mask.ndim}D")
        return
    if embeds is not None or ids is None or pad is None or "encoder_outputs" in inputs:
        return
    if (eos is None or pad not in eos) and (ids == pad).any():
        inputs["attention_mask"] = (ids != pad).astype(np.int64)


def _warn_of_right_padding(prompt: np.ndarray, mask: np.ndarray | None, pad: int | None) -> None:
    if len(prompt) < 2 or not prompt.shape[1] or pad is None:
        return
    ends_padded = prompt[:, -1] == pad if mask is None else mask[:, -1] == 0
    if ends_padded.any():
        warning_once(
            "A decoder-only architecture is being used, but right-padding was detected! For "
            "correct generation results, please set `padding_side='left'` when initializing the "
            "tokenizer."
        )


def _lengths(
    model: Any, config: GenerationConfig, kwargs: dict, prompt: np.ndarray, inputs: dict[str, Any]
) -> None:
    """Turn numbers of new tokens into lengths of the whole text, and check them."""
    length = prompt.shape[1]
    name = "decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"
    embeds = None if model.config.is_encoder_decoder else inputs.get("inputs_embeds")
    default = kwargs.get("max_length") is None
    if config.max_new_tokens is not None:
        if not default:
            warning_once(
                f"Both `max_new_tokens` (={config.max_new_tokens}) and `max_length`(="
                f"{config.max_length}) seem to have been set. `max_new_tokens` will take "
                "precedence: pass only one of them."
            )
        config.max_length = length + config.max_new_tokens
    elif embeds is not None and length != embeds.shape[1]:
        config.max_length -= embeds.shape[1]
    if config.min_new_tokens is not None:
        config.min_length = length + config.min_new_tokens
    elif embeds is not None and length != embeds.shape[1]:
        config.min_length = max(config.min_length - embeds.shape[1], 0)

    if default and config.max_new_tokens is None and config.max_length == DEFAULTS["max_length"]:
        warning_once(
            f"Using the model-agnostic default `max_length` (={config.max_length}) to control the "
            "generation length. We recommend setting `max_new_tokens` to control the maximum "
            "length of the generation."
        )
    if length >= config.max_length:
        raise ValueError(
            f"Input length of {name} is {length}, but `max_length` is set to {config.max_length}. "
            "This can lead to unexpected behavior. You should consider increasing `max_length` "
            "or, better yet, setting `max_new_tokens`."
        )
    if (config.min_length or 0) > config.max_length:
        warning_once(
            f"Unfeasible length constraints: `min_length` ({config.min_length}) is larger than the "
            f"maximum possible length ({config.max_length}). Generation will stop at the maximum "
            "length: decrease the one or increase the other."
        )
