"""Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases of queries, keys and values."""

from __future__ import annotations

from typing import Any

from . import llama
from .config import PretrainedConfig


class Qwen2Config(PretrainedConfig):
    model_type = "qwen2"
    vocab_size: int = 151936
    hidden_size: int = 4096
    intermediate_size: int = 22016
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 32
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    attention_dropout: float = 0.0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)
        if not self.use_sliding_window:
            self.sliding_window = None


class Attention(llama.Attention):
    def __init__(self, config: Qwen2Config, layer: int):
        window = config.sliding_window if layer >= config.max_window_layers else None
        super().__init__(config, layer, bias=True, out_bias=False, window=window)


class Block(llama.Block):
    attention = Attention


class Qwen2Model(llama.LlamaModel):
    config_class = Qwen2Config
    block = Block


class Qwen2ForCausalLM(llama.LlamaForCausalLM):
    config_class = Qwen2Config
    base_class = Qwen2Model


class Qwen2ForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = Qwen2Config
    base_class = Qwen2Model


class Qwen2ForTokenClassification(llama.LlamaForTokenClassification):
    config_class = Qwen2Config
    base_class = Qwen2Model


class Qwen2ForQuestionAnswering(llama.LlamaForQuestionAnswering):
    config_class = Qwen2Config
    base_class = Qwen2Model
    base_model_prefix = "model"
