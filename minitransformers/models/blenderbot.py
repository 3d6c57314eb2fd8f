"""Blenderbot (Roller et al., 2020): BART with norms before the parts of a layer."""

from __future__ import annotations

from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartLikeConfig,
    BartModel,
    BartStack,
    LearnedPositions,
)


class BlenderbotConfig(BartLikeConfig):
    model_type = "blenderbot"
    vocab_size: int = 8008
    max_position_embeddings: int = 128
    encoder_layers: int = 2
    encoder_ffn_dim: int = 10240
    encoder_attention_heads: int = 32
    decoder_layers: int = 24
    decoder_ffn_dim: int = 10240
    decoder_attention_heads: int = 32
    d_model: int = 2560
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    decoder_start_token_id: int | None = 1
    encoder_no_repeat_ngram_size: int = 3
    forced_eos_token_id: int | None = 2


class BlenderbotPositions(LearnedPositions):
    offset = 0


class BlenderbotStack(BartStack):
    pre_norm = True
    norms_embeddings = False
    positions = BlenderbotPositions


class BlenderbotModel(BartModel):
    config_class = BlenderbotConfig
    shares_layers = True
    stack_class = BlenderbotStack
    decodes_input = False


class BlenderbotForConditionalGeneration(BartForConditionalGeneration):
    config_class = BlenderbotConfig
    base_class = BlenderbotModel


class BlenderbotForCausalLM(BartForCausalLM):
    config_class = BlenderbotConfig
    stack_class = BlenderbotStack
