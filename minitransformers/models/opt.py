"""OPT (Zhang et al., 2022)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerDrop, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import CausalForSequenceClassification, ForCausalLM, ForQuestionAnswering
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPast

_OFFSET = 2  # rows of the position table before position 0


class OPTConfig(PretrainedConfig):
    model_type = "opt"
    vocab_size: int = 50272
    hidden_size: int = 768
    num_hidden_layers: int = 12
    ffn_dim: int = 3072
    max_position_embeddings: int = 2048
    do_layer_norm_before: bool = True
    _remove_final_layer_norm: bool = False
    word_embed_proj_dim: int | None = None
    dropout: float = 0.1
    attention_dropout: float = 0.0
    num_attention_heads: int = 12
    activation_function: str = "relu"
    layerdrop: float = 0.0
    init_std: float = 0.02
    use_cache: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = 2
    eos_token_id: int | list | None = 2
    enable_bias: bool = True
    layer_norm_elementwise_affine: bool = True

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if self.word_embed_proj_dim is None:
            self.word_embed_proj_dim = self.hidden_size


class PlainLayerNorm(Module):
    """A layer norm without weights."""

    def __call__(self, x: Any) -> Any:
        return ops.layer_norm(x, np.ones(x.shape[-1], np.float32), None, eps=1e-5)


def norm(config: OPTConfig) -> Module:
    plain = not config.layer_norm_elementwise_affine
    return PlainLayerNorm() if plain else LayerNorm(config.hidden_size)


class Attention(Module):
    def __init__(self, config: OPTConfig, layer: int):
        n, bias = config.hidden_size, config.enable_bias
        self.k_proj = Linear(n, n, bias)
        self.v_proj = Linear(n, n, bias)
        self.q_proj = Linear(n, n, bias)
        self.out_proj = Linear(n, n, bias)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.heads = layer, config.num_attention_heads
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = (
            ops.split_heads(part(x), heads=self.heads)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return self.out_proj(ops.merge_heads(out))


class Block(Module):
    def __init__(self, config: OPTConfig, layer: int):
        self.self_attn = Attention(config, layer)
        self.self_attn_layer_norm = norm(config)
        self.fc1 = Linear(config.hidden_size, config.ffn_dim, config.enable_bias)
        self.fc2 = Linear(config.ffn_dim, config.hidden_size, config.enable_bias)
        self.final_layer_norm = norm(config)
        self.act = ops.activation(config.activation_function)
        self.dropout, self.norm_first = Dropout(config.dropout), config.do_layer_norm_before

    def __call__(self, x: Any, state: State) -> Any:
        if self.norm_first:
            x = x + self.dropout(self.self_attn(self.self_attn_layer_norm(x), state))
            return x + self.dropout(self.feed_forward(self.final_layer_norm(x)))
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, state)))
        return self.final_layer_norm(x + self.dropout(self.feed_forward(x)))

    def feed_forward(self, x: Any) -> Any:
        return self.fc2(ops.activate(self.act, self.fc1(x)))


class OPTDecoder(Module):
    def __init__(self, config: OPTConfig):
        n, narrow = config.hidden_size, config.word_embed_proj_dim
        assert narrow is not None
        self.embed_tokens = Embedding(config.vocab_size, narrow, config.pad_token_id)
        self.embed_positions = Embedding(config.max_position_embeddings + _OFFSET, n)
        self.project_out = None if narrow == n else Linear(n, narrow, bias=False)
        self.project_in = None if narrow == n else Linear(narrow, n, bias=False)
        ends = config.do_layer_norm_before and not config._remove_final_layer_norm
        self.final_layer_norm = norm(config) if ends else None
        self.layers = [Block(config, layer) for layer in range(config.num_hidden_layers)]
        self.layerdrop = LayerDrop(config.layerdrop)

    def __call__(self, x: Any, positions: np.ndarray, state: State) -> Any:
        if self.project_in is not None:
            x = self.project_in(x)
        x = x + self.embed_positions(positions + _OFFSET)
        for block in self.layers:
            state.keep(x)
            x = x if self.layerdrop.skips() else block(x, state)
        if self.final_layer_norm is not None:
            x = self.final_layer_norm(x)
        return state.keep(x if self.project_out is None else self.project_out(x))


class OPTPreTrainedModel(PreTrainedModel):
    config_class = OPTConfig
    base_model_prefix = "model"
    input_embeddings = "decoder.embed_tokens"
    inputs = (
        "input_ids",
        "attention_mask",
        "head_mask",
        "past_key_values",
        "inputs_embeds",
        "position_ids",
    )
    renames = ((r"^decoder\.", "model.decoder."),)  # the first files are of the headless model

    def initial_std(self, name: str) -> float:
        return self.config.init_std


class OPTModel(OPTPreTrainedModel):
    output_class = BaseModelOutputWithPast

    def __init__(self, config: OPTConfig):
        super().__init__(config)
        self.decoder = OPTDecoder(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        position_ids: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.decoder.embed_tokens, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        if position_ids is None and attention_mask is not None and attention_mask.ndim == 2:
            # what is not padding is counted, and padding has the position before the first
            position_ids = (attention_mask.cumsum(-1) * attention_mask - 1)[:, state.past :]
        return {"last_hidden_state": self.decoder(x, state.positions(x, position_ids), state)}


class OPTForCausalLM(ForCausalLM, OPTPreTrainedModel):
    base_class = OPTModel
    tied = {"lm_head.weight": "model.decoder.embed_tokens.weight"}

    def width(self, config: OPTConfig) -> Any:
        return config.word_embed_proj_dim


class OPTForSequenceClassification(CausalForSequenceClassification, OPTPreTrainedModel):
    base_class = OPTModel
    width = OPTForCausalLM.width


class OPTForQuestionAnswering(ForQuestionAnswering, OPTPreTrainedModel):
    base_class = OPTModel
    outputs = 2
    width = OPTForCausalLM.width
