"""What tests/golden/training*.npz hold: gradients of every head, and losses of training runs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from tiny import CONFIGS, weight

MODULES = (
    "model_cases",
    "model_cases_bigbird",
    "model_cases_decoders",
    "model_cases_decoders_later",
    "model_cases_encoders",
    "model_cases_long",
    "model_cases_modernbert",
    "model_cases_permuted",
    "model_cases_prophetnet",
    "model_cases_seq2seq",
)
TARGETS = re.compile(r"labels?$|^(start|end)_positions$")
STEPS = 10
SEED = 1234
OPTIMISER = {"lr": 1e-3, "weight_decay": 0.01}
# heads that transformers 4.46.3 lacks
LATER = ("Gemma3", "ModernBert", "Olmo2", "Qwen3", "SmolLM3")
KEPT = {"output_hidden_states", "output_attentions"}
# names of configurations' rates of dropout
RATES = re.compile(r"drop(out)?(_prob|_rate|_p)?$|_pdrop$|_dropout(_prob)?$")


def heads() -> Iterator[tuple[str, str, dict, dict]]:
    """(title, class, fields of the configuration, inputs): of every head with a loss one call"""
    seen = set()
    for module in MODULES:
        for title, (name, fields, inputs) in importlib.import_module(module).CASES.items():
            targets = {key for key in inputs if TARGETS.search(key)}
            if name not in seen and targets and targets != {"start_positions"}:
                seen.add(name)
                yield title, name, fields, {k: v for k, v in inputs.items() if k not in KEPT}


def dropouts() -> Iterator[tuple[str, str, dict, dict]]:
    """As `heads`: training whose dropout masks have other layouts than the scores they fall on.

    Odd lengths that windows do not divide, padding with holes, several global tokens in some rows
    and none in others, streams; attention drops at another rate than the rest.
    """
    rows = np.arange(3)[:, None]

    def ids(n: int, first: int = 3) -> np.ndarray:
        return (5 * np.arange(n) + 7 * rows + first) % 34 + 3

    def mask(n: int) -> np.ndarray:
        return ((np.arange(n) + rows) % 4 != 2) * 1

    def some(n: int) -> np.ndarray:
        return ((np.arange(n) * (rows + 1) % 5 == 0) & (rows < 2)) * 1

    def given(n: int) -> dict[str, Any]:
        return {"input_ids": ids(n), "attention_mask": mask(n), "global_attention_mask": some(n)}

    inside = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.3}
    between = {"dropout": 0.1, "attention_dropout": 0.3, "activation_dropout": 0.2}
    skipping = {"attention_window": [4, 8], "encoder_layerdrop": 0.5, "decoder_layerdrop": 0.4}
    of_heads = {
        "head_mask": np.float32([[1, 0, 0.5], [0.5, 1, 0.2]]),
        "decoder_head_mask": np.float32([[1, 0], [0, 1], [0.5, 0.2]]),
        "cross_attn_head_mask": np.float32([[0, 1], [0.5, 0.2], [1, 0]]),
    }
    embedded = {"inputs_embeds": weight("embeds", (3, 11, 12)), "global_attention_mask": some(11)}
    masked, led = "LongformerForMaskedLM", "LEDForConditionalGeneration"
    seq2seq, causal = "ProphetNetForConditionalGeneration", "ProphetNetForCausalLM"
    sliced = {"input_ids": ids(7), "attention_mask": mask(7)}
    cases: dict[str, tuple[str, dict, dict]] = {
        f"{masked} odd": (masked, inside, given(11) | {"labels": ids(11)}),
        f"{masked} shorter than a window": (masked, inside, given(3) | {"labels": ids(3)}),
        f"{masked} whole windows": (masked, inside, given(16) | {"labels": ids(16)}),
        f"{masked} none global": (masked, inside, {"input_ids": ids(13), "labels": ids(13)}),
        f"{masked} embedded": (masked, inside, embedded | {
            "labels": ids(11), "head_mask": of_heads["head_mask"]}),
        f"{led} odd": (led, between, given(7) | of_heads | {"labels": ids(5)}),
        f"{led} layers left out": (led, between | skipping, given(11) | {"labels": ids(6)}),
        f"{led} none global": (led, between, {"input_ids": ids(9), "labels": ids(3)}),
        f"{led} embedded": (led, between, embedded | {
            "decoder_input_ids": ids(5), "labels": ids(5, 4)}),
        f"{seq2seq} three streams": (seq2seq, between | {"ngram": 3}, sliced | {"labels": ids(5)}),
        # of masked heads, the reference needs to be asked for the attentions
        f"{seq2seq} masked": (seq2seq, between, sliced | of_heads | {
            "decoder_input_ids": ids(5), "decoder_attention_mask": mask(5), "labels": ids(5, 4),
            "output_attentions": True}),
        f"{causal} one stream": (causal, between | {"ngram": 1}, sliced | {"labels": ids(7)}),
        f"{causal} smoothed": (causal, between | {"ngram": 3, "eps": 0.1}, sliced | {
            "labels": ids(7)}),
    }  # fmt: skip
    kinds = {masked: "longformer", led: "led", seq2seq: "prophetnet", causal: "prophetnet"}
    for title, (name, fields, inputs) in cases.items():
        yield title, name, CONFIGS[kinds[name]] | fields, inputs


def dropping(config: Any, rate: float = 0.1) -> dict[str, Any]:
    """The fields that switch on every dropout a configuration has; layers are not left out."""
    if hasattr(config, "encoder") and hasattr(config, "decoder"):
        return {}
    return {
        key: rate
        for key, value in vars(config).items()
        if RATES.search(key) and "layer" not in key and type(value) is not bool
    }


def fingerprints(gradients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of each gradient its norm, and itself along two directions. -> {name: (3,)}"""
    found = {}
    for name, g in gradients.items():
        g = g.astype(np.float64)
        along = [(g * weight(f"{name} {i}", g.shape, scale=1.0)).sum() for i in range(2)]
        found[name] = np.array([np.sqrt((g * g).sum()), *along], np.float32)
    return found


def losses(model: Any, optimiser: Any, inputs: dict[str, Any]) -> list[float]:
    """Of training for STEPS steps, of torch's objects or of ours."""
    found = []
    for _ in range(STEPS):
        loss = model(**inputs).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        found.append(loss.item())
    return found
