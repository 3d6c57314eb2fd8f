"""Mistral 7B (Jiang et al., 2023): Llama that looks back through a sliding window."""

from __future__ import annotations

from typing import Any

from . import llama
from .config import PretrainedConfig


class MistralConfig(PretrainedConfig):
    model_type = "mistral"
    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 8
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 131072
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    sliding_window: int | None = 4096
    attention_dropout: float = 0.0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)


class Attention(llama.Attention):
    def __init__(self, config: MistralConfig, layer: int):
        super().__init__(config, layer, bias=False, window=config.sliding_window)


class Block(llama.Block):
    attention = Attention


class MistralModel(llama.LlamaModel):
    config_class = MistralConfig
    block = Block


class MistralForCausalLM(llama.LlamaForCausalLM):
    config_class = MistralConfig
    base_class = MistralModel


class MistralForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = MistralConfig
    base_class = MistralModel


class MistralForTokenClassification(llama.LlamaForTokenClassification):
    config_class = MistralConfig
    base_class = MistralModel


class MistralForQuestionAnswering(llama.LlamaForQuestionAnswering):
    config_class = MistralConfig
    base_class = MistralModel
    base_model_prefix = "model"
