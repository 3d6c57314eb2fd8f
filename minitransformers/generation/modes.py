"""Which strategy the parameters ask for. Everything is chosen here, once, before the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..logging import warning_once
from .assisted import AssistantDrafts, Assisted, PromptLookup
from .beam import Beams, BeamSearch
from .constrained_beam import ConstrainedBeams, ConstrainedBeamSearch, constraints_of
from .contrastive import Contrastive
from .dola import Dola
from .greedy import Greedy, Sample
from .group_beam import GroupBeamSearch
from .prepare import Request
from .processors import build_processors
from .stopping import Informed, build_criteria


def mode(config: Any, assistant: Any = None) -> str:
    """The name of the strategy. Raises ValueError for parameters that exclude each other."""
    if config.constraints is not None or config.force_words_ids is not None:
        chosen = "constrained"
    elif config.num_beams == 1:
        contrastive = not config.do_sample and (config.top_k or 0) > 1
        if contrastive and (config.penalty_alpha or 0) > 0:
            chosen = "contrastive"
        else:
            chosen = "sample" if config.do_sample else "greedy"
    elif config.num_beam_groups > 1:
        chosen = "group"
    else:
        chosen = "beam"
    drafting = (assistant, config.prompt_lookup_num_tokens, config.assistant_early_exit)
    for name, wanted in (
        ("assisted", any(x is not None for x in drafting)),
        ("dola", config.dola_layers is not None),
    ):
        if wanted and chosen not in ("greedy", "sample"):
            raise ValueError(
                f"{name} decoding works with greedy search and sampling only, but the parameters "
                f"ask for {chosen} search: leave num_beams, penalty_alpha and constraints out"
            )
        chosen = name if wanted else chosen
    return chosen


def choose(
    model: Any,
    request: Request,
    *,
    processors: tuple,
    criteria: tuple,
    prefix_allowed_tokens_fn: Callable | None,
    assistant: Any,
    negative: tuple,
    tokenizer: Any,
    assistant_tokenizer: Any,
) -> tuple[Any, Any]:
    """-> the model's state, begun, and the strategy that will decide"""
    config, prompt = request.config, request.prompt
    chosen = mode(config, assistant)
    _check(chosen, request, model)

    def build(
        parameters: Any, ids: np.ndarray, source: Any = request.source, custom: tuple = criteria
    ) -> tuple[Any, Any]:
        built = build_processors(
            parameters,
            prompt_length=ids.shape[1],
            eos=request.eos,
            encoder_input_ids=source,
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
            custom=processors,
            guidance=lambda: _guidance(model, parameters, negative),
            vocab_size=model.config.get_text_config().vocab_size,
        )
        stop = build_criteria(parameters, eos=request.eos, custom=custom, tokenizer=tokenizer)
        keeps = parameters.return_dict_in_generate and parameters.output_scores
        return built, Informed(stop, all_scores=keeps)

    how = dict(
        reserve=min(config.max_length, prompt.shape[1] + 4096),
        hidden=config.output_hidden_states and config.return_dict_in_generate,
        attentions=config.output_attentions and config.return_dict_in_generate,
    )
    copies = max(config.num_beams, config.num_return_sequences)
    state = model.start(request.inputs, prompt, copies=copies, use_cache=config.use_cache, **how)
    built, stop = build(config, prompt)
    pad = None if request.eos is None else request.pad
    if chosen in ("beam", "group", "constrained"):
        return state, _beams(chosen, request, built, stop)
    if chosen == "contrastive":
        low_memory = bool(config.low_memory)
        alpha = config.penalty_alpha
        return state, Contrastive(built, stop, pad, config.top_k, alpha, low_memory)
    if chosen == "assisted":
        drafts = _drafts(model, request, assistant, build, tokenizer, assistant_tokenizer)
        return state, Assisted(built, stop, drafts, config.do_sample, config.max_length)
    if chosen == "dola":
        state = Dola(state, config.dola_layers)
    return state, (Sample if config.do_sample else Greedy)(built, stop, pad)


def _check(chosen: str, request: Request, model: Any) -> None:
    config = request.config
    if chosen in getattr(model, "without_modes", ()):
        raise ValueError(
            f"{type(model).__name__} cannot do {chosen} decoding: use greedy or beam search, or "
            "sampling"
        )
    if chosen in ("constrained", "group"):
        for name, wrong in (
            ("num_beams > 1", config.num_beams < 2),
            ("do_sample=False", config.do_sample),
            ("num_beam_groups=1", chosen == "constrained" and config.num_beam_groups > 1),
            ("a num_beams that num_beam_groups divides", config.num_beams % config.num_beam_groups),
        ):
            if wrong:
                raise ValueError(f"{chosen} beam search needs {name}")
    if chosen == "group" and not config.diversity_penalty > 0.0:
        raise ValueError("group beam search needs `diversity_penalty` greater than 0.0")
    if chosen in ("assisted", "contrastive") and not config.use_cache:
        raise ValueError(f"{chosen} decoding needs `use_cache=True`")
    if chosen == "assisted" and (len(request.prompt) > 1 or config.num_return_sequences > 1):
        raise ValueError(
            "assisted decoding continues one text at a time: pass a batch of one, and "
            "num_return_sequences=1"
        )
    if chosen == "dola":
        if model.config.is_encoder_decoder:
            raise ValueError("DoLa decoding is only available for decoder-only models.")
        if config.repetition_penalty < 1.2:
            warning_once(
                f"`repetition_penalty` is {config.repetition_penalty}; DoLa tends to repeat "
                "itself: a value of at least 1.2 is recommended"
            )


def _beams(chosen: str, request: Request, processors: Any, criteria: Any) -> Any:
    config, examples = request.config, len(request.prompt)
    rules: dict[str, Any] = dict(
        eos=request.eos,
        prompt=request.prompt.shape[1],
        longest=config.max_length,
        length_penalty=config.length_penalty,
        early_stopping=config.early_stopping,
    )
    common: dict[str, Any] = dict(
        returned=config.num_return_sequences, pad=request.pad, longest=config.max_length
    )
    if chosen == "group":
        size = config.num_beams // config.num_beam_groups
        groups = [Beams(examples, size, **rules) for _ in range(config.num_beam_groups)]
        return GroupBeamSearch(processors, criteria, groups, **common)
    if chosen == "constrained":
        constraints = constraints_of(config.force_words_ids, config.constraints)
        held = ConstrainedBeams(examples, config.num_beams, constraints, **rules)
        return ConstrainedBeamSearch(processors, criteria, held, **common)
    beams = Beams(examples, config.num_beams, **rules)
    return BeamSearch(processors, criteria, beams, sample=config.do_sample, **common)


def _guidance(model: Any, config: Any, negative: tuple) -> Any:
    from .guidance import UnbatchedClassifierFreeGuidanceLogitsProcessor

    ids, mask = (None if x is None else np.asarray(x) for x in negative)
    return UnbatchedClassifierFreeGuidanceLogitsProcessor(
        config.guidance_scale, model, ids, mask, config.use_cache
    )


def _drafts(
    model: Any,
    request: Request,
    assistant: Any,
    build: Callable,
    tokenizer: Any,
    assistant_tokenizer: Any,
) -> Any:
    """Where drafts come from: an assistant, the model's own first layers, or the text itself."""
    config = request.config
    if config.prompt_lookup_num_tokens is not None:
        n, ngram = config.prompt_lookup_num_tokens, config.max_matching_ngram_size
        return PromptLookup(n, ngram, request.eos, config.max_length)

    def rebuild(parameters: Any, ids: np.ndarray) -> tuple[Any, Any]:
        decoder_only = not assistant.config.is_encoder_decoder
        # the caller's criteria are about the text, not about drafts of it
        return build(parameters, ids, ids if decoder_only else request.source, custom=())

    if assistant is None:
        assistant = model.first_layers(config.assistant_early_exit)
    if assistant_tokenizer is not None:
        from .translated import TranslatedDrafts

        if tokenizer is None:
            raise ValueError("`assistant_tokenizer` needs `tokenizer`, the model's own, beside it")
        return TranslatedDrafts(
            assistant, config, rebuild, tokenizer, assistant_tokenizer, request.pad
        )
    if assistant.config.is_encoder_decoder != model.config.is_encoder_decoder:
        raise ValueError(
            f"{type(assistant).__name__} cannot assist {type(model).__name__}: both must have an "
            "encoder, or neither"
        )
    if assistant.config.vocab_size != model.config.get_text_config().vocab_size:
        raise ValueError(
            f"the assistant has a vocabulary of {assistant.config.vocab_size} tokens, the model of "
            f"{model.config.vocab_size}: pass `tokenizer` and `assistant_tokenizer`, or an "
            "assistant with the same vocabulary"
        )
    reserve = min(config.max_length, request.prompt.shape[1] + 4096)
    state = assistant.start(request.inputs, request.prompt, reserve=reserve)
    settings = assistant.generation_config
    pad = None if request.eos is None else request.pad

    return AssistantDrafts(state, config, rebuild, settings, pad)
