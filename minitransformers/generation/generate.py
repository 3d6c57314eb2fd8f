"""generate(): the one way in to every decoding strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.threads import computing
from . import outputs
from .config import GenerationConfig
from .loop import Result, Step, run
from .modes import choose
from .prepare import prepare
from .streamers import feeding


class Generation:
    """A decoding under way: iterate over its steps, then ask for its `result`.

    state: the model's, from `model.start`; strategy: how it decides
    """

    def __init__(self, config: GenerationConfig, state: Any, strategy: Any):
        self.config, self.state, self.strategy = config, state, strategy
        self.ids = state.prompt

    def __iter__(self) -> Iterator[Step]:
        own_loop = getattr(self.strategy, "run", None)
        for step in own_loop(self.state) if own_loop else run(self.state, self.strategy):
            self.ids = step.ids
            yield step

    def result(self) -> Result:
        """What has been generated so far, or in all."""
        return self.strategy.result(self.ids)


def generate_steps(
    model: Any,
    inputs: Any = None,
    generation_config: GenerationConfig | None = None,
    logits_processor: Any = None,
    stopping_criteria: Any = None,
    prefix_allowed_tokens_fn: Callable | None = None,
    assistant_model: Any = None,
    negative_prompt_ids: Any = None,
    negative_prompt_attention_mask: Any = None,
    tokenizer: Any = None,
    assistant_tokenizer: Any = None,
    **kwargs: Any,
) -> Generation:
    """Prepare a generation without running it: see `generate` for the arguments.

    -> an iterable of `Step`s; stop iterating whenever you like
    """
    if not model.can_generate():
        raise TypeError(
            f"The current model class ({type(model).__name__}) is not compatible with "
            "`.generate()`, as it doesn't have a language model head. Load the checkpoint with "
            "AutoModelForCausalLM or AutoModelForSeq2SeqLM."
        )
    request = prepare(model, inputs, generation_config, kwargs)
    request.config.validate()
    state, strategy = choose(
        model,
        request,
        processors=tuple(logits_processor or ()),
        criteria=tuple(stopping_criteria or ()),
        prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
        assistant=assistant_model,
        negative=(negative_prompt_ids, negative_prompt_attention_mask),
        tokenizer=tokenizer,
        assistant_tokenizer=assistant_tokenizer,
    )
    return Generation(request.config, state, strategy)


def generate(
    model: Any,
    inputs: Any = None,
    generation_config: GenerationConfig | None = None,
    logits_processor: Any = None,
    stopping_criteria: Any = None,
    prefix_allowed_tokens_fn: Callable | None = None,
    synced_gpus: bool | None = None,
    assistant_model: Any = None,
    streamer: Any = None,
    negative_prompt_ids: Any = None,
    negative_prompt_attention_mask: Any = None,
    **kwargs: Any,
) -> Any:
    """Continue a prompt.

    inputs: (batch, seq) ids of the prompt, or of what an encoder reads
    generation_config: parameters; keywords override it, model.generation_config is the default
    logits_processor, stopping_criteria: your own, applied beside those the parameters ask for
    prefix_allowed_tokens_fn: (example, ids) -> the tokens allowed next
    assistant_model: a smaller model that drafts (assisted decoding)
    streamer: is given the prompt and each new token as soon as it is known
    negative_prompt_ids, negative_prompt_attention_mask: what guidance_scale leads away from
    tokenizer: needed by stop_strings; with assistant_tokenizer, where the assistant's differs
    other keywords: parameters of `GenerationConfig`, or inputs of the model such as attention_mask
    -> (rows, length) ids with the prompt, padded behind their ends; rows of one example adjacent.
       With return_dict_in_generate, a record: see `generation.outputs`
    Raises ValueError for unknown keywords and for parameters that cannot work.
    """
    with computing(), feeding(streamer):
        generation = generate_steps(
            model,
            inputs,
            generation_config,
            logits_processor,
            stopping_criteria,
            prefix_allowed_tokens_fn,
            assistant_model,
            negative_prompt_ids,
            negative_prompt_attention_mask,
            **kwargs,
        )
        config = generation.config
        if streamer is not None:
            if config.num_beams > 1:
                raise ValueError(
                    "`streamer` cannot be used with beam search (yet!). Make sure that "
                    "`num_beams` is set to 1."
                )
            streamer.put(generation.state.prompt)
        kept = Kept(config)
        for step in generation:
            kept.add(step)
            if streamer is not None:
                streamer.put(step.tokens[:, 0])
    result = generation.result()
    return kept.output(generation, result) if config.return_dict_in_generate else result.sequences


class Kept:
    """What the caller wants of every step, beside the tokens."""

    def __init__(self, config: GenerationConfig):
        wanted = config.return_dict_in_generate
        self.lists: dict[str, list] = {}
        for name, asked in (
            ("scores", config.output_scores),
            ("logits", config.output_logits),
            ("hidden_states", config.output_hidden_states),
            ("attentions", config.output_attentions),
            ("cross_attentions", config.output_attentions),
        ):
            if wanted and asked:
                self.lists[name] = []

    def add(self, step: Step) -> None:
        for name, items in self.lists.items():
            items.append(getattr(step, name))

    def output(self, generation: Generation, result: Result) -> Any:
        """-> the record that fits the model and the strategy"""
        state, config = generation.state, generation.config
        record: dict[str, Any] = {name: tuple(items) for name, items in self.lists.items()}
        record |= {"sequences": result.sequences, "past_key_values": state.cache}
        if config.num_beams > 1 and "scores" in record:
            record |= {"sequences_scores": result.scores, "beam_indices": result.beam_indices}
        kind = "Beam" if config.num_beams > 1 else ""
        if state.encoded is None:
            return _fill(getattr(outputs, f"Generate{kind}DecoderOnlyOutput"), record)
        for name in ("hidden_states", "attentions"):
            if name in record:
                record[f"decoder_{name}"] = record.pop(name)
                record[f"encoder_{name}"] = getattr(state.encoded, name, None)
        return _fill(getattr(outputs, f"Generate{kind}EncoderDecoderOutput"), record)


def _fill(kind: type, record: dict[str, Any]) -> Any:
    fields = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: x for name, x in record.items() if name in fields})


def compute_transition_scores(
    sequences: np.ndarray,
    scores: tuple,
    beam_indices: np.ndarray | None = None,
    normalize_logits: bool = False,
) -> np.ndarray:
    """The score that each generated token was chosen with.

    sequences: (rows, length); scores: one (beams or rows, vocab) a step, of `generate`
    beam_indices: (rows, generated) of beam search
    normalize_logits: make log probabilities of the scores first -> (rows, generated)
    """
    stacked = np.stack(scores, axis=1)  # (rows, steps, vocab)
    if normalize_logits:
        from .greedy import log_softmax

        stacked = log_softmax(stacked)
    rows = np.arange(len(sequences))[:, None]
    if beam_indices is None:
        beam_indices = np.broadcast_to(rows, (len(sequences), len(scores)))
    longest = int((beam_indices >= 0).sum(-1).max(initial=0))
    beam_indices = beam_indices[:, :longest]
    steps = np.arange(longest)[None]
    tokens = sequences[:, sequences.shape[1] - longest :]
    picked = stacked[np.maximum(beam_indices, 0), steps, np.maximum(tokens, 0)]
    return np.where(beam_indices < 0, np.float32(0.0), picked)
