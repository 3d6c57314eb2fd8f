"""Logits processors: which of them a configuration asks for, in the reference's order.

The classes themselves are in `penalties`, `bans`, `warpers`, `guidance` and `watermarking`; all of
them can be had from here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .bans import (
    EncoderNoRepeatNGramLogitsProcessor,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    InfNanRemoveLogitsProcessor,
    MinLengthLogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)
from .guidance import (
    ClassifierFreeGuidanceLogitsProcessor,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)
from .logits import LogitsProcessor, LogitsProcessorList, LogitsWarper, check_classes
from .penalties import (
    EncoderRepetitionPenaltyLogitsProcessor,
    ExponentialDecayLengthPenalty,
    HammingDiversityLogitsProcessor,
    LogitNormalization,
    NoBadWordsLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
)
from .synthid import SynthIDTextWatermarkingConfig, SynthIDTextWatermarkLogitsProcessor
from .warpers import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)
from .watermarking import (
    BaseWatermarkingConfig,
    WatermarkDetector,
    WatermarkDetectorOutput,
    WatermarkingConfig,
    WatermarkLogitsProcessor,
)

__all__ = [
    "BaseWatermarkingConfig",
    "ClassifierFreeGuidanceLogitsProcessor",
    "EncoderNoRepeatNGramLogitsProcessor",
    "EncoderRepetitionPenaltyLogitsProcessor",
    "EpsilonLogitsWarper",
    "EtaLogitsWarper",
    "ExponentialDecayLengthPenalty",
    "ForcedBOSTokenLogitsProcessor",
    "ForcedEOSTokenLogitsProcessor",
    "HammingDiversityLogitsProcessor",
    "InfNanRemoveLogitsProcessor",
    "LogitNormalization",
    "LogitsProcessor",
    "LogitsProcessorList",
    "LogitsWarper",
    "MinLengthLogitsProcessor",
    "MinNewTokensLengthLogitsProcessor",
    "MinPLogitsWarper",
    "NoBadWordsLogitsProcessor",
    "NoRepeatNGramLogitsProcessor",
    "PrefixConstrainedLogitsProcessor",
    "RepetitionPenaltyLogitsProcessor",
    "SequenceBiasLogitsProcessor",
    "SuppressTokensAtBeginLogitsProcessor",
    "SuppressTokensLogitsProcessor",
    "SynthIDTextWatermarkLogitsProcessor",
    "SynthIDTextWatermarkingConfig",
    "TemperatureLogitsWarper",
    "TopHLogitsWarper",
    "TopKLogitsWarper",
    "TopPLogitsWarper",
    "TypicalLogitsWarper",
    "UnbatchedClassifierFreeGuidanceLogitsProcessor",
    "WatermarkDetector",
    "WatermarkDetectorOutput",
    "WatermarkLogitsProcessor",
    "WatermarkingConfig",
    "build_processors",
]


def build_processors(
    config: Any,
    *,
    prompt_length: int,
    eos: np.ndarray | None,
    encoder_input_ids: np.ndarray | None = None,
    prefix_allowed_tokens_fn: Callable | None = None,
    custom: Iterable[Any] = (),
    guidance: Callable[[], LogitsProcessor] | None = None,
    vocab_size: int | None = None,
) -> LogitsProcessorList:
    """The processors that a GenerationConfig asks for, and the caller's own.

    prompt_length: tokens of the decoder's prompt; eos: (n,) ids that end a text, or None
    encoder_input_ids: (examples, seq) that encoder_* parameters refer to
    custom: come behind all but those of sampling
    guidance: makes the processor that guidance_scale asks for; vocab_size: for watermarks
    Raises ValueError for parameters that cannot work, and for a custom processor of a class that
    the parameters ask for as well.
    """
    out = LogitsProcessorList()
    if config.guidance_scale is not None and config.guidance_scale != 1:
        if guidance is None:
            raise ValueError(f"`guidance_scale` (={config.guidance_scale}) cannot be used here")
        out.append(guidance())
    out += _penalties(config, encoder_input_ids)
    out += _bans(config, prompt_length, eos, prefix_allowed_tokens_fn)
    if config.forced_decoder_ids is not None:
        raise ValueError(
            "`forced_decoder_ids` is no longer supported: give these tokens as `input_ids` or "
            "`decoder_input_ids` instead."
        )
    if config.watermarking_config is not None:
        out.append(_watermark(config.watermarking_config, vocab_size))
    check_classes(out, custom, "logits processor")
    out += custom
    if config.do_sample:
        out += _warpers(config, eos)
    if config.renormalize_logits is True:
        out.append(LogitNormalization())
    return out


def _penalties(config: Any, source: np.ndarray | None) -> Iterable[LogitsProcessor]:
    if config.sequence_bias is not None:
        yield SequenceBiasLogitsProcessor(config.sequence_bias)
    if config.diversity_penalty is not None and config.diversity_penalty > 0.0:
        yield HammingDiversityLogitsProcessor(
            config.diversity_penalty, config.num_beams, config.num_beam_groups
        )
    if config.encoder_repetition_penalty not in (None, 1.0):
        penalty = config.encoder_repetition_penalty
        if source is None or source.ndim != 2:
            _warn_of_no_source("encoder_repetition_penalty")
        else:
            yield EncoderRepetitionPenaltyLogitsProcessor(penalty, source)
    if config.repetition_penalty not in (None, 1.0):
        yield RepetitionPenaltyLogitsProcessor(config.repetition_penalty)
    if (config.no_repeat_ngram_size or 0) > 0:
        yield NoRepeatNGramLogitsProcessor(config.no_repeat_ngram_size)
    if (config.encoder_no_repeat_ngram_size or 0) > 0:
        if source is None or source.ndim != 2:
            _warn_of_no_source("encoder_no_repeat_ngram_size")
        else:
            yield EncoderNoRepeatNGramLogitsProcessor(config.encoder_no_repeat_ngram_size, source)


def _warn_of_no_source(parameter: str) -> None:
    warnings.warn(
        f"Passing `{parameter}` requires some form of `input_ids` to be passed to `generate`, "
        "ignoring the argument.",
        UserWarning,
        stacklevel=5,
    )


def _bans(
    config: Any, prompt_length: int, eos: np.ndarray | None, allowed: Callable | None
) -> Iterable[LogitsProcessor]:
    if config.bad_words_ids is not None:
        yield NoBadWordsLogitsProcessor(config.bad_words_ids, eos)
    if eos is not None and (config.min_length or 0) > 0:
        yield MinLengthLogitsProcessor(config.min_length, eos)
    if eos is not None and (config.min_new_tokens or 0) > 0:
        yield MinNewTokensLengthLogitsProcessor(prompt_length, config.min_new_tokens, eos)
    if allowed is not None:
        rows = config.num_beams // config.num_beam_groups
        yield PrefixConstrainedLogitsProcessor(allowed, rows)
    if config.forced_bos_token_id is not None:
        yield ForcedBOSTokenLogitsProcessor(config.forced_bos_token_id)
    if config.forced_eos_token_id is not None:
        yield ForcedEOSTokenLogitsProcessor(config.max_length, config.forced_eos_token_id)
    if config.remove_invalid_values is True:
        yield InfNanRemoveLogitsProcessor()
    if config.exponential_decay_length_penalty is not None:
        if eos is None:
            raise ValueError(
                "`exponential_decay_length_penalty` raises the score of the end of sequence, but "
                "there is no `eos_token_id`"
            )
        yield ExponentialDecayLengthPenalty(
            config.exponential_decay_length_penalty, eos, prompt_length
        )
    if config.suppress_tokens is not None:
        yield SuppressTokensLogitsProcessor(config.suppress_tokens)
    if config.begin_suppress_tokens is not None:
        forced = prompt_length == 1 and config.forced_bos_token_id is not None
        begin = prompt_length + 1 if forced else prompt_length
        yield SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, begin)


def _watermark(config: Any, vocab_size: int | None) -> LogitsProcessor:
    if isinstance(config, dict):
        config = WatermarkingConfig.from_dict(config)
    config.validate()
    if vocab_size is None:
        raise ValueError("a watermark needs the `vocab_size` of the model")
    return config.construct_processor(vocab_size)


def _warpers(config: Any, eos: np.ndarray | None) -> Iterable[LogitsProcessor]:
    # beams need a continuation beside those that end
    keep = 1 if config.num_beams == 1 else 2 if eos is None else len(eos) + 1
    if config.temperature not in (None, 1.0):
        yield TemperatureLogitsWarper(config.temperature)
    if config.top_k not in (None, 0):
        yield TopKLogitsWarper(config.top_k, min_tokens_to_keep=keep)
    if config.top_p is not None and config.top_p < 1.0:
        yield TopPLogitsWarper(config.top_p, min_tokens_to_keep=keep)
    if config.min_p is not None:
        yield MinPLogitsWarper(config.min_p, min_tokens_to_keep=keep)
    if config.top_h is not None:
        yield TopHLogitsWarper(config.top_h)
    if config.typical_p is not None and config.typical_p < 1.0:
        yield TypicalLogitsWarper(config.typical_p, min_tokens_to_keep=keep)
    if config.epsilon_cutoff is not None and 0.0 < config.epsilon_cutoff < 1.0:
        yield EpsilonLogitsWarper(config.epsilon_cutoff, min_tokens_to_keep=keep)
    if config.eta_cutoff is not None and 0.0 < config.eta_cutoff < 1.0:
        yield EtaLogitsWarper(config.eta_cutoff, min_tokens_to_keep=keep)
