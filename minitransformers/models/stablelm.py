"""StableLM 2 and 3B (Bellagente et al., 2024): Llama with layer norms, a quarter of whose channels
turn."""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.layers import Dropout, LayerNorm
from ..core.module import Module
from ..core.state import State
from . import llama
from .config import PretrainedConfig


class StableLmConfig(PretrainedConfig):
    model_type = "stablelm"
    vocab_size: int = 50304
    intermediate_size: int = 6912
    hidden_size: int = 2560
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 32
    hidden_act: str = "silu"
    max_position_embeddings: int = 4096
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000
    rope_scaling: dict | None = None
    use_qkv_bias: bool = False
    qk_layernorm: bool = False
    use_parallel_residual: bool = False
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    partial_rotary_factor: float = 0.25
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 0


class NormPerHead(Module):
    """A layer norm for each head. x: (batch, heads, seq, head_dim)"""

    def __init__(self, head_dim: int, heads: int, eps: float):
        self.norms = [LayerNorm(head_dim, eps, bias=False) for _ in range(heads)]

    def __call__(self, x: Any) -> Any:
        parts = (norm(x[:, i : i + 1]) for i, norm in enumerate(self.norms))
        return ops.concatenate(*parts, axis=1)


class Attention(llama.Attention):
    def __init__(self, config: StableLmConfig, layer: int):
        super().__init__(config, layer, bias=config.use_qkv_bias, out_bias=False)
        if config.qk_layernorm:
            head_dim, eps = config.hidden_size // self.heads, config.layer_norm_eps
            self.q_layernorm = NormPerHead(head_dim, self.heads, eps)
            self.k_layernorm = NormPerHead(head_dim, self.kv_heads, eps)
        self.norms = config.qk_layernorm

    def project(self, x: Any) -> tuple:
        q, k, v = super().project(x)
        return (self.q_layernorm(q), self.k_layernorm(k), v) if self.norms else (q, k, v)


class Block(Module):
    def __init__(self, config: StableLmConfig, layer: int):
        self.self_attn = Attention(config, layer)
        self.mlp = llama.MLP(config)
        self.input_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.parallel = config.use_parallel_residual
        if not self.parallel:
            self.post_attention_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout)

    def __call__(self, x: Any, state: State) -> Any:
        normed = self.input_layernorm(x)
        x = x + self.self_attn(normed, state)
        if not self.parallel:
            normed = self.post_attention_layernorm(x)
        return x + self.dropout(self.mlp(normed))


class StableLmModel(llama.LlamaModel):
    config_class = StableLmConfig
    block = Block

    def last_norm(self, config: StableLmConfig) -> Module:
        return LayerNorm(config.hidden_size, config.layer_norm_eps)


class StableLmForCausalLM(llama.LlamaForCausalLM):
    config_class = StableLmConfig
    base_class = StableLmModel


class StableLmForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = StableLmConfig
    base_class = StableLmModel


class StableLmForTokenClassification(llama.LlamaForTokenClassification):
    config_class = StableLmConfig
    base_class = StableLmModel
