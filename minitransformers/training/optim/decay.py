"""Which parameters weight decay is for."""

from __future__ import annotations

from typing import Any

from ...core.layers import LayerNorm, RMSNorm
from ...core.module import Module


def get_parameter_names(model: Module, forbidden_layer_types: Any) -> list[str]:
    """Names of the parameters outside layers of these types, in the reference's order."""
    types = tuple(forbidden_layer_types)
    own = {a for n, owner, a in model.slots() if owner is model and a not in model.buffers}
    below = [
        f"{name}.{inner}"
        for name, child in model.named_children()
        if not isinstance(child, types)
        for inner in get_parameter_names(child, types)
    ]
    return below + sorted(own, key=list(vars(model)).index)


# architectures whose norms the reference (4.46) does not know for norms, and lets decay
_NORMS_DECAY = (
    "deberta",
    "gemma",
    "gemma2",
    "mistral",
    "mixtral",
    "mt5",
    "phi3",
    "qwen2",
    "umt5",
)


def decayed_names(model: Module) -> list[str]:
    """Names of the parameters that decay: neither a normalisation's nor called a bias."""
    kind = getattr(getattr(model, "config", None), "model_type", None)
    norms = () if kind in _NORMS_DECAY else (LayerNorm, RMSNorm)
    return [n for n in get_parameter_names(model, norms) if "bias" not in n]
