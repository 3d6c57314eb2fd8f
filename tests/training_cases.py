"""What tests/golden/training.npz holds: gradients of every head, and losses of training runs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from tiny import weight

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
