"""Gemma-2 (Riviere et al., 2024): norms around each part, capped scores and logits, and a sliding
window in every other layer."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core import ops
from ..core.module import Module
from ..core.state import State
from . import llama
from .config import PretrainedConfig
from .gemma import GemmaRMSNorm


class Gemma2Config(PretrainedConfig):
    model_type = "gemma2"
    vocab_size: int = 256000
    hidden_size: int = 3072
    intermediate_size: int = 24576
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    num_key_value_heads: int = 16
    head_dim: int = 256
    hidden_activation: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 8192
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = 0
    eos_token_id: int | list | None = 1
    bos_token_id: int | None = 2
    tie_word_embeddings: bool = True
    rope_theta: float = 10000.0
    attention_bias: bool = False
    attention_dropout: float = 0.0
    query_pre_attn_scalar: float = 224
    sliding_window: int | None = 4096
    final_logit_softcapping: float | None = 30.0
    attn_logit_softcapping: float | None = 50.0
    cache_implementation: str = "hybrid"


class Attention(llama.Attention):
    def __init__(self, config: Gemma2Config, layer: int):
        super().__init__(config, layer, window=None if layer % 2 else config.sliding_window)
        self.scale = 1.0 / math.sqrt(config.query_pre_attn_scalar)
        self.softcap = config.attn_logit_softcapping


class Block(Module):
    attention: ClassVar[Any] = Attention
    norm: ClassVar[Any] = GemmaRMSNorm

    def __init__(self, config: Any, layer: int):
        n, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = self.attention(config, layer)
        self.mlp = llama.MLP(config, config.hidden_activation)
        self.input_layernorm = GemmaRMSNorm(n, eps)
        self.pre_feedforward_layernorm = GemmaRMSNorm(n, eps)
        self.post_feedforward_layernorm = GemmaRMSNorm(n, eps)
        self.post_attention_layernorm = GemmaRMSNorm(n, eps)

    def __call__(self, x: Any, state: State) -> Any:
        attended = self.self_attn(self.input_layernorm(x), state)
        x = x + self.post_attention_layernorm(attended)
        return x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))


class Gemma2Model(llama.LlamaModel):
    config_class = Gemma2Config
    block = Block

    def prepare(self, state: State, x: Any, positions: Any) -> Any:
        return super().prepare(state, x, positions) * math.sqrt(self.config.hidden_size)


class Gemma2ForCausalLM(llama.LlamaForCausalLM):
    config_class = Gemma2Config
    base_class = Gemma2Model

    def logits(self, x: Any) -> Any:
        cap = self.config.final_logit_softcapping
        return super().logits(x) if cap is None else ops.tanh(super().logits(x) / cap) * cap


class Gemma2ForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = Gemma2Config
    base_class = Gemma2Model


class Gemma2ForTokenClassification(llama.LlamaForTokenClassification):
    config_class = Gemma2Config
    base_class = Gemma2Model
