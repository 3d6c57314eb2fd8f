"""Qwen3 (Yang et al., 2025): Llama with a norm of each query and key."""

from __future__ import annotations

from typing import Any

from ..core.layers import RMSNorm
from . import llama
from .config import PretrainedConfig


class Qwen3Config(PretrainedConfig):
    model_type = "qwen3"
    vocab_size: int = 151936
    hidden_size: int = 4096
    intermediate_size: int = 22016
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 32
    head_dim: int = 128
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    attention_bias: bool = False
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list | None = None
    attention_dropout: float = 0.0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)
        if not self.use_sliding_window:
            self.sliding_window = None
        if self.layer_types is None:
            full = self.num_hidden_layers if self.sliding_window is None else self.max_window_layers
            self.layer_types = [
                "full_attention" if layer < full else "sliding_attention"
                for layer in range(self.num_hidden_layers)
            ]


class Attention(llama.Attention):
    def __init__(self, config: Qwen3Config, layer: int):
        assert config.layer_types is not None
        slides = config.layer_types[layer] == "sliding_attention"
        super().__init__(config, layer, window=config.sliding_window if slides else None)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)

    def project(self, x: Any) -> tuple:
        q, k, v = super().project(x)
        return self.q_norm(q), self.k_norm(k), v


class Block(llama.Block):
    attention = Attention


class Qwen3Model(llama.LlamaModel):
    config_class = Qwen3Config
    block = Block


class Qwen3ForCausalLM(llama.LlamaForCausalLM):
    config_class = Qwen3Config
    base_class = Qwen3Model


class Qwen3ForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = Qwen3Config
    base_class = Qwen3Model


class Qwen3ForTokenClassification(llama.LlamaForTokenClassification):
    config_class = Qwen3Config
    base_class = Qwen3Model


class Qwen3ForQuestionAnswering(llama.LlamaForQuestionAnswering):
    config_class = Qwen3Config
    base_class = Qwen3Model
