"""Rotary position embedding: what a configuration says -> the angles of positions.

Longer contexts than a model was trained on are reached by slower angles: `rope_scaling` of the
configuration names the method in `rope_type` (`type` in older files).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops


class Rope:
    """Angles by position, for one configuration.

    dim: channels that turn; head_dim times partial_rotary_factor by default
    base: rope_theta by default; scaling: rope_scaling by default
    Raises ValueError for an unknown rope_type or a missing parameter of it.
    """

    def __init__(
        self, config: Any, dim: int | None = None, base: float | None = None, scaling: Any = None
    ):
        said = scaling or getattr(config, "rope_parameters", None) or _field(config, "rope_scaling")
        self.config, self.said = config, dict(said or {})
        self.kind = self.said.get("rope_type", self.said.get("type")) or "default"
        self.dim = dim or _turning(config)
        self.base = base or self.said.get("rope_theta") or _field(config, "rope_theta", 10000.0)
        if self.kind not in _KINDS:
            raise ValueError(
                f"unknown rope_type {self.kind!r} in rope_scaling: the known ones are "
                f"{', '.join(_KINDS)}"
            )
        self.longest = config.max_position_embeddings
        original = _field(config, "original_max_position_embeddings")
        self.trained = self.said.get("original_max_position_embeddings") or original or self.longest
        # the fixed methods need the length of no text, and are computed here once
        self.fixed = None if self.kind in _BY_LENGTH else self.frequencies(0)

    def frequencies(self, length: int) -> tuple[np.ndarray, float]:
        """For a text of that many positions. -> (dim / 2,) turns a position, factor of the table"""
        try:
            frequencies, factor = _KINDS[self.kind](self, length)
        except KeyError as missing:
            raise ValueError(
                f"rope_scaling of rope_type {self.kind!r} needs {missing}; it has {self.said}"
            ) from None
        return frequencies.astype(np.float32), factor

    def plain(self) -> np.ndarray:
        return ops.inverse_frequencies(self.dim, self.base)

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """positions: (1 or batch, seq) -> cosines and sines, (1 or batch, 1, seq, dim / 2)"""
        fixed = self.fixed or self.frequencies(int(positions.max(initial=0)) + 1)
        return ops.rotary_table(positions, *fixed)


def _field(config: Any, name: str, default: Any = None) -> Any:
    value = getattr(config, name, None)
    return default if value is None else value


def _turning(config: Any) -> int:
    head_dim = _field(config, "head_dim", config.hidden_size // config.num_attention_heads)
    return int(head_dim * _field(config, "partial_rotary_factor", 1.0))


def _default(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    return rope.plain(), 1.0


def _linear(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    """Every position counts 1 / factor (Chen et al., 2023)."""
    return rope.plain() / np.float32(rope.said["factor"]), 1.0


def _dynamic(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    """A base that grows with the text, from the trained length on ("NTK-aware", bloc97, 2023)."""
    factor, length = rope.said["factor"], max(length, rope.longest)
    stretch = factor * length / rope.longest - (factor - 1)
    base = rope.base * stretch ** (rope.dim / (rope.dim - 2))
    return ops.inverse_frequencies(rope.dim, base), 1.0


def _yarn(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    """Slow channels are interpolated, fast ones are not (Peng et al., 2023)."""
    factor = rope.said["factor"]

    def channel(turns: float) -> float:  # which turns so many times over the trained length
        return rope.dim * math.log(rope.trained / (turns * 2 * math.pi)) / (2 * math.log(rope.base))

    low, high = channel(rope.said.get("beta_fast") or 32), channel(rope.said.get("beta_slow") or 1)
    if rope.said.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rope.dim - 1)
    ramp = (np.arange(rope.dim // 2, dtype=np.float32) - low) / (high - low or 0.001)
    slow = np.clip(ramp, 0, 1)
    plain = rope.plain()
    return plain / np.float32(factor) * slow + plain * (1 - slow), _yarn_attention(rope, factor)


def _yarn_attention(rope: Rope, factor: float) -> float:
    def growth(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    given, said = rope.said.get("attention_factor"), rope.said
    if given is not None:
        return given
    if said.get("mscale") and said.get("mscale_all_dim"):
        return growth(said["mscale"]) / growth(said["mscale_all_dim"])
    return growth(1.0)


def _longrope(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    """A factor for each channel, of two sets, for short and long texts (Ding et al., 2024)."""
    factors = rope.said["long_factor" if length > rope.trained else "short_factor"]
    stretch = rope.longest / rope.trained
    if stretch == 1.0:
        stretch = rope.said.get("factor") or 1.0
    attention = rope.said.get("attention_factor")
    if attention is None:
        growth = math.log(stretch) / math.log(rope.trained) if stretch > 1 else 0.0
        attention = math.sqrt(1 + growth)
    return rope.plain() / np.asarray(factors, np.float32), attention


def _llama3(rope: Rope, length: int) -> tuple[np.ndarray, float]:
    """Long waves are stretched, short ones are not, those between by degrees (Llama 3.1)."""
    said, plain = rope.said, rope.plain()
    low, high = said["low_freq_factor"], said["high_freq_factor"]
    waves = said["original_max_position_embeddings"] / (2 * math.pi / plain)  # in a trained text
    kept = np.clip((waves - low) / (high - low), 0, 1)
    return (1 - kept) * plain / np.float32(said["factor"]) + kept * plain, 1.0


_KINDS = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "longrope": _longrope,
    "su": _longrope,  # its name in the first Phi-3 files
    "llama3": _llama3,
}
_BY_LENGTH = ("dynamic", "longrope", "su")
