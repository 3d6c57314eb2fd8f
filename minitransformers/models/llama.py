"""Llama 1 to 3 (Touvron et al., 2023; Grattafiori et al., 2024), Code Llama, TinyLlama, SmolLM.

Many later decoders differ from it in a part or two: they name the parts of theirs.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core import ops
from ..core.layers import Dropout, Embedding, Linear, RMSNorm
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    CausalForSequenceClassification,
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPast
from .rope import Rope


class LlamaConfig(PretrainedConfig):
    model_type = "llama"
    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    pretraining_tp: int = 1
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False
    head_dim: int | None = None

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        fill_heads(self)


def fill_heads(config: Any) -> None:
    """Derive what a configuration may leave out: key heads, and their size if it is a field."""
    if config.num_key_value_heads is None:
        config.num_key_value_heads = config.num_attention_heads
    if getattr(config, "head_dim", 0) is None:
        config.head_dim = config.hidden_size // config.num_attention_heads


class Attention(Module):
    """bias: of the projections; out_bias: of the output's; window: how far a position looks back"""

    def __init__(
        self,
        config: Any,
        layer: int,
        *,
        bias: bool | None = None,
        out_bias: bool | None = None,
        window: int | None = None,
    ):
        n, heads, kv_heads = (
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
        )
        head_dim = getattr(config, "head_dim", None) or n // heads
        bias = config.attention_bias if bias is None else bias
        self.q_proj = Linear(n, heads * head_dim, bias)
        self.k_proj = Linear(n, kv_heads * head_dim, bias)
        self.v_proj = Linear(n, kv_heads * head_dim, bias)
        self.o_proj = Linear(heads * head_dim, n, bias if out_bias is None else out_bias)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.window, self.softcap = layer, window, None
        self.heads, self.kv_heads, self.scale = heads, kv_heads, 1.0 / math.sqrt(head_dim)

    def project(self, x: Any) -> tuple:
        """-> queries (batch, heads, seq, head_dim), keys and values (batch, kv_heads, ...)"""
        return (
            ops.split_heads(self.q_proj(x), heads=self.heads),
            ops.split_heads(self.k_proj(x), heads=self.kv_heads),
            ops.split_heads(self.v_proj(x), heads=self.kv_heads),
        )

    def turn(self, state: State, q: Any, k: Any) -> tuple:
        return state.rotate(q, k)

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = self.project(x)
        q, k = self.turn(state, q, k)
        out = state.attend(
            self.layer, q, k, v, self.scale, self.dropout.rate,
            window=self.window, softcap=self.softcap,
        )  # fmt: skip
        return self.o_proj(ops.merge_heads(out))


class MLP(Module):
    def __init__(self, config: Any, act: str | None = None):
        n, inner = config.hidden_size, config.intermediate_size
        bias = getattr(config, "mlp_bias", False)
        self.gate_proj = Linear(n, inner, bias)
        self.up_proj = Linear(n, inner, bias)
        self.down_proj = Linear(inner, n, bias)
        self.act = ops.activation(act or config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.down_proj(ops.activate(self.act, self.gate_proj(x), times=self.up_proj(x)))


class Block(Module):
    attention: ClassVar[Any] = Attention
    feed_forward: ClassVar[Any] = MLP
    norm: ClassVar[Any] = RMSNorm

    def __init__(self, config: Any, layer: int):
        self.self_attn = self.attention(config, layer)
        self.mlp = self.feed_forward(config)
        self.input_layernorm = self.norm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = self.norm(config.hidden_size, config.rms_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.self_attn(self.input_layernorm(x), state)
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaPreTrainedModel(PreTrainedModel):
    config_class = LlamaConfig
    base_model_prefix = "model"
    input_embeddings = "embed_tokens"
    inputs = ("input_ids", "attention_mask", "position_ids", "past_key_values", "inputs_embeds")


class LlamaModel(LlamaPreTrainedModel):
    output_class = BaseModelOutputWithPast
    block: ClassVar[Any] = Block

    def __init__(self, config: Any):
        super().__init__(config)
        self.embed_tokens = self.embedding(config)
        self.layers = [self.block(config, layer) for layer in range(config.num_hidden_layers)]
        self.norm = self.last_norm(config)
        self.rope = Rope(config)

    def embedding(self, config: Any) -> Embedding:
        return Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)

    def last_norm(self, config: Any) -> Module:
        return self.block.norm(config.hidden_size, config.rms_norm_eps)

    def prepare(self, state: State, x: Any, positions: Any) -> Any:
        """Set what the blocks look at, and scale the embeddings if need be. -> x"""
        state.rope = self.rope(positions)
        return x

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embed_tokens, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        x = self.prepare(state, x, state.positions(x, position_ids))
        for block in self.layers:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.norm(x))}


class LlamaForCausalLM(ForCausalLM, LlamaPreTrainedModel):
    base_class = LlamaModel
    tied = {"lm_head.weight": "model.embed_tokens.weight"}


class LlamaForSequenceClassification(CausalForSequenceClassification, LlamaPreTrainedModel):
    base_class = LlamaModel


class LlamaForTokenClassification(ForTokenClassification, LlamaPreTrainedModel):
    base_class = LlamaModel
    classifier_name = "score"


class LlamaForQuestionAnswering(ForQuestionAnswering, LlamaPreTrainedModel):
    base_class = LlamaModel
    outputs = 2
    base_model_prefix = "transformer"
