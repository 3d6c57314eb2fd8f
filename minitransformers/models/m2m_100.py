"""M2M-100 (Fan et al., 2020) and NLLB (NLLB Team, 2022), translators between many languages: BART
with norms before the parts of a layer and fixed positions that skip padding."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..core.layers import LayerDrop
from ..core.module import Module
from ..core.state import State
from .bart import BartForConditionalGeneration, BartLikeConfig, BartModel, BartStack


class M2M100Config(BartLikeConfig):
    model_type = "m2m_100"
    vocab_size: int = 128112
    encoder_layerdrop: float = 0.05
    decoder_layerdrop: float = 0.05
    activation_function: str = "relu"
    attention_dropout: float = 0.1
    scale_embedding: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    decoder_start_token_id: int | None = 2


@functools.lru_cache(maxsize=8)
def sinusoids(length: int, dim: int, pad: int) -> np.ndarray:
    """Sines, then cosines as tensor2tensor spaces them: the last wavelength is 20000 pi exactly.
    Angles are float32, as where the checkpoints were trained. -> (length, dim), zeros at `pad`
    """
    half = dim // 2
    step = np.float32(-math.log(10000) / (half - 1))
    angles = np.arange(length, dtype=np.float32)[:, None] * np.exp(
        np.arange(half, dtype=np.float32) * step
    )
    table = np.zeros((length, dim), np.float32)
    table[:, :half], table[:, half : 2 * half] = np.sin(angles), np.cos(angles)
    table[pad] = 0.0
    return table


class PaddedSinusoidalPositions(Module):
    def __init__(self, config: M2M100Config):
        self.dim, self.pad = config.d_model, config.pad_token_id
        self.length = config.max_position_embeddings + 2

    def at(self, x: Any, state: State) -> np.ndarray:
        """x: (batch, seq, hidden) -> (1 or batch, seq, hidden)"""
        positions = state.positions_of(x, state.ids, self.pad)
        length = self.length
        while length <= positions.max():
            length *= 2
        return sinusoids(length, self.dim, self.pad)[positions]


class M2M100Stack(BartStack):
    pre_norm = True
    norms_embeddings = False
    positions = PaddedSinusoidalPositions

    def make_layerdrop(self, config: Any, decoder: bool, always: bool = True) -> LayerDrop:
        return super().make_layerdrop(config, decoder, always)


class M2M100Model(BartModel):
    config_class = M2M100Config
    stack_class = M2M100Stack
    decodes_input = False
    ignore = ("embed_positions.weights",)  # what is computed here


class M2M100ForConditionalGeneration(BartForConditionalGeneration):
    config_class = M2M100Config
    base_class = M2M100Model
    has_logits_bias = False
    caches_with_targets = True
    ignore = M2M100Model.ignore
