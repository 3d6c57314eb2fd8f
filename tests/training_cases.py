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
    "model_cases_seq2seq",
)
TARGETS = re.compile(r"labels?$|^(start|end)_positions$")
STEPS = 10
SEED = 1234
OPTIMISER = {"lr": 1e-3, "weight_decay": 0.01}
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
    """The fields that switch on every dropout a configuration has; layers are not dropped."""
    if hasattr(config, "encoder") and hasattr(config, "decoder"):
        return {}
    return {
        key: rate
        for key, value in vars(config).items()
        if RATES.search(key) and "layer" not in key and type(value) is not bool
    }


def projections(name: str, g: np.ndarray) -> np.ndarray:
    """A fingerprint of a gradient: its norm, and itself along three directions. -> (4,)"""
    along = [(g * weight(f"{name} {i}", g.shape, scale=1.0)).sum() for i in range(3)]
    return np.array([np.sqrt((g * g).sum()), *along], np.float32)
