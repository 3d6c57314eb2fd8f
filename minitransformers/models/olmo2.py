"""OLMo 2 (Walsh et al., 2025): Llama that norms what its parts return, and queries and keys."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core import ops
from ..core.layers import RMSNorm
from ..core.module import Module
from ..core.state import State
from . import llama
from .config import PretrainedConfig


class Olmo2Config(PretrainedConfig):
    model_type = "olmo2"
    vocab_size: int = 50304
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    use_cache: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = None
    eos_token_id: int | list | None = 50279
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    rms_norm_eps: float = 1e-5

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)


class Attention(llama.Attention):
    def __init__(self, config: Olmo2Config, layer: int):
        super().__init__(config, layer)
        self.q_norm = RMSNorm(self.q_proj.weight.shape[0], config.rms_norm_eps)
        self.k_norm = RMSNorm(self.k_proj.weight.shape[0], config.rms_norm_eps)

    def project(self, x: Any) -> tuple:
        return (
            ops.split_heads(self.q_norm(self.q_proj(x)), heads=self.heads),
            ops.split_heads(self.k_norm(self.k_proj(x)), heads=self.kv_heads),
            ops.split_heads(self.v_proj(x), heads=self.kv_heads),
        )


class Block(Module):
    norm: ClassVar[Any] = RMSNorm

    def __init__(self, config: Olmo2Config, layer: int):
        self.self_attn = Attention(config, layer)
        self.mlp = llama.MLP(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_feedforward_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.post_attention_layernorm(self.self_attn(x, state))
        return x + self.post_feedforward_layernorm(self.mlp(x))


class Olmo2Model(llama.LlamaModel):
    config_class = Olmo2Config
    block = Block


class Olmo2ForCausalLM(llama.LlamaForCausalLM):
    config_class = Olmo2Config
    base_class = Olmo2Model
