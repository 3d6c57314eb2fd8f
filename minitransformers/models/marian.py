"""Marian (Junczys-Dowmunt et al., 2018), the translators of OPUS-MT: BART with fixed positions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..core.module import Module
from ..core.random import Generator
from ..core.state import State
from . import resizing
from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartLikeConfig,
    BartModel,
    BartStack,
)


class MarianConfig(BartLikeConfig):
    model_type = "marian"
    vocab_size: int = 58101
    decoder_vocab_size: int | None = None
    share_encoder_decoder_embeddings: bool = True
    pad_token_id: int | None = 58100
    eos_token_id: int | list | None = 0
    decoder_start_token_id: int | None = 58100
    forced_eos_token_id: int | None = 0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.decoder_vocab_size = self.decoder_vocab_size or self.vocab_size


@functools.lru_cache(maxsize=8)
def sinusoids(length: int, dim: int) -> np.ndarray:
    """Sines, then cosines of the position over wavelengths from 2 pi to 20000 pi (Vaswani et al.,
    2017). -> (length, dim) float32
    """
    angles = np.arange(length)[:, None] / 10000.0 ** (np.arange(0, dim, 2) / dim)
    return np.concatenate([np.sin(angles), np.cos(angles)[:, : dim // 2]], 1).astype(np.float32)


class SinusoidalPositions(Module):
    """Positions that are computed, for texts of any length."""

    def __init__(self, config: Any):
        self.length, self.dim = config.max_position_embeddings, config.d_model

    def made(self, draw: Generator) -> None:
        draw.skip_normal(self.length * self.dim)

    def at(self, x: Any, state: State) -> np.ndarray:
        """x: (batch, seq, hidden) -> (1, seq, hidden)"""
        positions = state.positions(x)
        length = self.length
        while length <= positions.max():
            length *= 2
        return sinusoids(length, self.dim)[positions]


class MarianStack(BartStack):
    norms_embeddings = False
    positions = SinusoidalPositions


class MarianModel(BartModel):
    """Source and target share one vocabulary or have one each, as the configuration says."""

    config_class = MarianConfig
    shares_layers = True
    stack_class = MarianStack
    input_embeddings = "encoder.embed_tokens"
    decodes_input = False
    ignore = ("embed_positions.weight",)  # what is computed here

    def __init__(self, config: MarianConfig):
        super().__init__(config)
        if not config.share_encoder_decoder_embeddings:
            del self.shared

    def input_table(self) -> Any:
        return self.encoder.embed_tokens

    def decoder_table(self) -> Any:
        return self.decoder.embed_tokens

    def ties(self) -> dict[str, str]:
        return super().ties() if self.config.share_encoder_decoder_embeddings else {}


class MarianMTModel(BartForConditionalGeneration):
    config_class = MarianConfig
    base_class = MarianModel
    input_embeddings = "encoder.embed_tokens"
    ignore = MarianModel.ignore

    def ties(self) -> dict[str, str]:
        if self.config.share_encoder_decoder_embeddings:
            return super().ties()
        head = {"lm_head.weight": "model.decoder.embed_tokens.weight"}
        return head if self.config.tie_word_embeddings else {}

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
        mean_resizing: bool = True,
    ) -> Any:
        """As of every model; where the target has a vocabulary of its own, the source's only."""
        shares, config = self.config.share_encoder_decoder_embeddings, self.config
        given = new_num_tokens, pad_to_multiple_of, mean_resizing
        table = (super() if shares else self.base_model).resize_token_embeddings(*given)
        if shares:
            config.decoder_vocab_size = config.vocab_size
        return table

    def resize_decoder_token_embeddings(self, new_num_tokens: int) -> Any:
        """Resize the target's vocabulary. -> its table, an Embedding

        Raises ValueError where source and target share one.
        """
        if self.config.share_encoder_decoder_embeddings:
            raise ValueError(
                "source and target share one vocabulary: call resize_token_embeddings instead"
            )
        table = self.model.decoder.embed_tokens
        resizing.resize(self, table, new_num_tokens, mean=True)
        resizing.resize(self, self.lm_head, new_num_tokens, mean=True)
        resizing.resize_last_axis(self, "final_logits_bias", new_num_tokens, "zeros")
        self.config.decoder_vocab_size = new_num_tokens
        return table


class MarianForCausalLM(BartForCausalLM):
    config_class = MarianConfig
    stack_class = MarianStack
    ignore = MarianModel.ignore
