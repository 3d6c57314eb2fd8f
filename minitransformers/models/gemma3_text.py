"""Gemma-3 (Kamath et al., 2025), text only: Gemma-2 with normed queries and keys in the place of
caps, and five layers that look back through a window, with angles of their own, to one that does
not."""

from __future__ import annotations

import math
from typing import Any

from ..core.layers import Embedding, ScaledEmbedding
from ..core.state import State
from . import gemma2, llama
from .config import PretrainedConfig
from .gemma import GemmaRMSNorm
from .rope import Rope


class Gemma3TextConfig(PretrainedConfig):
    model_type = "gemma3_text"
    vocab_size: int = 262208
    hidden_size: int = 2304
    intermediate_size: int = 9216
    num_hidden_layers: int = 26
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 256
    hidden_activation: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 131072
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = 0
    eos_token_id: int | list | None = 1
    bos_token_id: int | None = 2
    tie_word_embeddings: bool = True
    rope_theta: float = 1000000.0
    attention_bias: bool = False
    attention_dropout: float = 0.0
    query_pre_attn_scalar: float = 256
    sliding_window: int | None = 4096
    layer_types: list | None = None
    final_logit_softcapping: float | None = None
    attn_logit_softcapping: float | None = None
    rope_scaling: dict | None = None
    rope_local_base_freq: float = 10000.0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if self.layer_types is None:
            every = kwargs.get("sliding_window_pattern", 6)
            self.layer_types = [
                "sliding_attention" if layer % every else "full_attention"
                for layer in range(1, self.num_hidden_layers + 1)
            ]


class Attention(llama.Attention):
    def __init__(self, config: Gemma3TextConfig, layer: int):
        assert config.layer_types is not None
        self.slides = config.layer_types[layer] == "sliding_attention"
        super().__init__(config, layer, window=config.sliding_window if self.slides else None)
        self.scale = 1.0 / math.sqrt(config.query_pre_attn_scalar)
        self.softcap = config.attn_logit_softcapping
        self.q_norm = GemmaRMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = GemmaRMSNorm(config.head_dim, config.rms_norm_eps)

    def project(self, x: Any) -> tuple:
        q, k, v = super().project(x)
        return self.q_norm(q), self.k_norm(k), v


class Block(gemma2.Block):
    attention = Attention

    def __call__(self, x: Any, state: State) -> Any:
        state.rope = state.ropes[self.self_attn.slides]
        return super().__call__(x, state)


class Gemma3TextModel(llama.LlamaModel):
    config_class = Gemma3TextConfig
    block = Block

    def __init__(self, config: Gemma3TextConfig):
        super().__init__(config)
        plain = {"rope_type": "default"}
        self.local_rope = Rope(config, base=config.rope_local_base_freq, scaling=plain)

    def embedding(self, config: Gemma3TextConfig) -> Embedding:
        scale = math.sqrt(config.hidden_size)
        return ScaledEmbedding(config.vocab_size, config.hidden_size, config.pad_token_id, scale)

    def prepare(self, state: State, x: Any, positions: Any) -> Any:
        state.ropes = self.rope(positions), self.local_rope(positions)
        return x


class Gemma3ForCausalLM(gemma2.Gemma2ForCausalLM):
    config_class = Gemma3TextConfig
    base_class = Gemma3TextModel


class Gemma3TextForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = Gemma3TextConfig
    base_class = Gemma3TextModel
