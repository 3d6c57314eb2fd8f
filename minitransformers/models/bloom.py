"""BLOOM and BLOOMZ (Le Scao et al., 2022): no positions but the slopes of ALiBi."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from . import alibi
from .config import PretrainedConfig
from .heads import (
    CausalForSequenceClassification,
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutputWithPastAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
)


class BloomConfig(PretrainedConfig):
    model_type = "bloom"
    attribute_map = {
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "n_embed": "hidden_size",  # its name in the first files
    }
    vocab_size: int = 250880
    hidden_size: int = 64
    n_layer: int = 2
    n_head: int = 8
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    apply_residual_connection_post_layernorm: bool = False
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    pretraining_tp: int = 1
    slow_but_exact: bool = False


class Attention(Module):
    def __init__(self, config: BloomConfig, layer: int):
        n = config.hidden_size
        self.query_key_value = Linear(n, 3 * n)
        self.dense = Linear(n, n)
        self.attention_dropout = Dropout(config.attention_dropout)
        self.layer, self.heads = layer, config.n_head

    def __call__(self, x: Any, state: State) -> Any:
        fused = ops.split_heads(self.query_key_value(x), heads=self.heads)
        head_dim = fused.shape[-1] // 3
        q, k, v = ops.split(fused, sizes=(head_dim,) * 3)  # each head has its own three
        scale, drop = 1.0 / math.sqrt(head_dim), self.attention_dropout.rate
        return self.dense(ops.merge_heads(state.attend(self.layer, q, k, v, scale, drop)))


class MLP(Module):
    def __init__(self, config: BloomConfig):
        self.dense_h_to_4h = Linear(config.hidden_size, 4 * config.hidden_size)
        self.dense_4h_to_h = Linear(4 * config.hidden_size, config.hidden_size)

    def __call__(self, x: Any) -> Any:
        return self.dense_4h_to_h(ops.gelu_new(self.dense_h_to_4h(x)))


class Block(Module):
    def __init__(self, config: BloomConfig, layer: int):
        self.input_layernorm = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.self_attention = Attention(config, layer)
        self.post_attention_layernorm = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.mlp = MLP(config)
        self.dropout = Dropout(config.hidden_dropout)
        self.after_norm = config.apply_residual_connection_post_layernorm

    def __call__(self, x: Any, state: State) -> Any:
        normed = self.input_layernorm(x)
        attended = self.dropout(self.self_attention(normed, state))
        x = (normed if self.after_norm else x) + attended
        normed = self.post_attention_layernorm(x)
        return (normed if self.after_norm else x) + self.dropout(self.mlp(normed))


class BloomPreTrainedModel(PreTrainedModel):
    config_class = BloomConfig
    base_model_prefix = "transformer"
    input_embeddings = "word_embeddings"
    inputs = ("input_ids", "past_key_values", "attention_mask", "head_mask", "inputs_embeds")
    ignore = (".self_attention.scale_mask_softmax.causal_mask",)  # in old files


class BloomModel(BloomPreTrainedModel):
    output_class = BaseModelOutputWithPastAndCrossAttentions

    def __init__(self, config: BloomConfig):
        super().__init__(config)
        n, eps = config.hidden_size, config.layer_norm_epsilon
        self.word_embeddings = Embedding(config.vocab_size, n)
        self.word_embeddings_layernorm = LayerNorm(n, eps)
        self.h = [Block(config, layer) for layer in range(config.n_layer)]
        self.ln_f = LayerNorm(n, eps)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.word_embeddings, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        positions = alibi.key_positions(state.past + x.shape[1], attention_mask)
        state.bias = alibi.bias(alibi.slopes(self.config.n_head), positions)
        x = self.word_embeddings_layernorm(x)
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.ln_f(x))}


class BloomForCausalLM(ForCausalLM, BloomPreTrainedModel):
    base_class = BloomModel
    output_class = CausalLMOutputWithCrossAttentions
    tied = {"lm_head.weight": "transformer.word_embeddings.weight"}


class BloomForSequenceClassification(CausalForSequenceClassification, BloomPreTrainedModel):
    base_class = BloomModel


class BloomForTokenClassification(ForTokenClassification, BloomPreTrainedModel):
    base_class = BloomModel


class BloomForQuestionAnswering(ForQuestionAnswering, BloomPreTrainedModel):
    base_class = BloomModel
    outputs = 2
