"""GPT-Neo (Black et al., 2021): GPT-2 whose every other layer looks back through a window."""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
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


class GPTNeoConfig(PretrainedConfig):
    model_type = "gpt_neo"
    attribute_map = {"num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"}
    vocab_size: int = 50257
    max_position_embeddings: int = 2048
    hidden_size: int = 2048
    num_layers: int = 24
    attention_types: list = [[["global", "local"], 12]]
    num_heads: int = 16
    intermediate_size: int | None = None
    window_size: int = 256
    activation_function: str = "gelu_new"
    resid_dropout: float = 0.0
    embed_dropout: float = 0.0
    attention_dropout: float = 0.0
    classifier_dropout: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | list | None = 50256

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.attention_layers = [
            kind for kinds, times in self.attention_types for kind in kinds * times
        ]
        if len(self.attention_layers) != self.num_layers:
            raise ValueError(
                f"attention_types names {len(self.attention_layers)} layers, but num_layers is "
                f"{self.num_layers}: make them equal"
            )


class SelfAttention(Module):
    def __init__(self, config: GPTNeoConfig, layer: int):
        n = config.hidden_size
        self.k_proj = Linear(n, n, bias=False)
        self.v_proj = Linear(n, n, bias=False)
        self.q_proj = Linear(n, n, bias=False)
        self.out_proj = Linear(n, n)
        self.attn_dropout = Dropout(config.attention_dropout)
        self.resid_dropout = Dropout(config.resid_dropout)
        local = config.attention_layers[layer] == "local"
        self.layer, self.heads, self.window = layer, config.num_heads, None
        if local:
            self.window = config.window_size

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = (
            ops.split_heads(part(x), heads=self.heads)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        drop = self.attn_dropout.rate  # and the scores are not scaled
        out = state.attend(self.layer, q, k, v, 1.0, drop, window=self.window)
        return self.resid_dropout(self.out_proj(ops.merge_heads(out)))


class Attention(Module):
    def __init__(self, config: GPTNeoConfig, layer: int):
        self.attention = SelfAttention(config, layer)


class MLP(Module):
    def __init__(self, config: GPTNeoConfig):
        inner = config.intermediate_size or 4 * config.hidden_size
        self.c_fc = Linear(config.hidden_size, inner)
        self.c_proj = Linear(inner, config.hidden_size)
        self.act = ops.activation(config.activation_function)
        self.dropout = Dropout(config.resid_dropout)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.c_proj(ops.activate(self.act, self.c_fc(x))))


class Block(Module):
    def __init__(self, config: GPTNeoConfig, layer: int):
        self.ln_1 = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.attn = Attention(config, layer)
        self.ln_2 = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.attn.attention(self.ln_1(x), state)
        return x + self.mlp(self.ln_2(x))


class GPTNeoPreTrainedModel(PreTrainedModel):
    config_class = GPTNeoConfig
    base_model_prefix = "transformer"
    input_embeddings = "wte"
    inputs = (
        "input_ids",
        "past_key_values",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )
    ignore = (".attn.attention.bias", ".attn.attention.masked_bias")  # masks, in old files


class GPTNeoModel(GPTNeoPreTrainedModel):
    output_class = BaseModelOutputWithPast

    def __init__(self, config: GPTNeoConfig):
        super().__init__(config)
        self.wte = Embedding(config.vocab_size, config.hidden_size)
        self.wpe = Embedding(config.max_position_embeddings, config.hidden_size)
        self.drop = Dropout(config.embed_dropout)
        self.h = [Block(config, layer) for layer in range(config.num_layers)]
        self.ln_f = LayerNorm(config.hidden_size, config.layer_norm_epsilon)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.wte, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        x = x + self.wpe(state.positions(x, position_ids))
        if token_type_ids is not None:
            x = x + self.wte(token_type_ids)
        x = self.drop(x)
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.ln_f(x))}


class GPTNeoForCausalLM(ForCausalLM, GPTNeoPreTrainedModel):
    base_class = GPTNeoModel
    tied = {"lm_head.weight": "transformer.wte.weight"}


class GPTNeoForSequenceClassification(CausalForSequenceClassification, GPTNeoPreTrainedModel):
    base_class = GPTNeoModel


class GPTNeoForTokenClassification(ForTokenClassification, GPTNeoPreTrainedModel):
    base_class = GPTNeoModel


class GPTNeoForQuestionAnswering(ForQuestionAnswering, GPTNeoPreTrainedModel):
    base_class = GPTNeoModel
    outputs = 2
