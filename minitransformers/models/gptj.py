"""GPT-J (Wang and Komatsuzaki, 2021): attention and MLP side by side, pairs of channels turn."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import CausalForSequenceClassification, ForCausalLM, ForQuestionAnswering
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPast
from .rope import Rope


class GPTJConfig(PretrainedConfig):
    model_type = "gptj"
    attribute_map = {
        "max_position_embeddings": "n_positions",
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    vocab_size: int = 50400
    n_positions: int = 2048
    n_embd: int = 4096
    n_layer: int = 28
    n_head: int = 16
    rotary_dim: int | None = 64
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.0
    embd_pdrop: float = 0.0
    attn_pdrop: float = 0.0
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | list | None = 50256
    tie_word_embeddings: bool = False


class Attention(Module):
    def __init__(self, config: Any, layer: int):
        self.attn_dropout = Dropout(config.attn_pdrop)
        self.resid_dropout = Dropout(config.resid_pdrop)
        self.layer, self.heads = layer, config.n_head
        self.scale = 1.0 / math.sqrt(config.n_embd // config.n_head)
        self.add_projections(config.n_embd)

    def add_projections(self, n: int) -> None:
        self.k_proj = Linear(n, n, bias=False)
        self.v_proj = Linear(n, n, bias=False)
        self.q_proj = Linear(n, n, bias=False)
        self.out_proj = Linear(n, n, bias=False)

    def project(self, x: Any) -> tuple:
        """-> queries, keys and values, (batch, seq, hidden) each"""
        return self.q_proj(x), self.k_proj(x), self.v_proj(x)

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in self.project(x))
        q, k = state.rotate(q, k, interleaved=True)
        out = state.attend(self.layer, q, k, v, self.scale, self.attn_dropout.rate)
        return self.resid_dropout(self.out_proj(ops.merge_heads(out)))


class MLP(Module):
    def __init__(self, config: Any):
        inner = config.n_inner or 4 * config.n_embd
        self.fc_in = Linear(config.n_embd, inner)
        self.fc_out = Linear(inner, config.n_embd)
        self.act = ops.activation(config.activation_function)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.fc_out(ops.activate(self.act, self.fc_in(x))))


class Block(Module):
    attention: ClassVar[Any] = Attention

    def __init__(self, config: Any, layer: int):
        self.ln_1 = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.attn = self.attention(config, layer)
        self.mlp = MLP(config)

    def __call__(self, x: Any, state: State) -> Any:
        normed = self.ln_1(x)
        return x + self.attn(normed, state) + self.mlp(normed)


class GPTJPreTrainedModel(PreTrainedModel):
    config_class: ClassVar[type[PretrainedConfig]] = GPTJConfig
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
    ignore = (".attn.bias", ".attn.causal_mask")  # masks, in old files


class GPTJModel(GPTJPreTrainedModel):
    output_class = BaseModelOutputWithPast
    block: ClassVar[Any] = Block

    def __init__(self, config: Any):
        super().__init__(config)
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.drop = Dropout(config.embd_pdrop)
        self.h = [self.block(config, layer) for layer in range(config.n_layer)]
        self.ln_f = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.rope = Rope(config, dim=config.rotary_dim)

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
        state.rope = self.rope(state.positions(x, position_ids))
        if token_type_ids is not None:
            x = x + self.wte(token_type_ids)
        x = self.drop(x)
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.ln_f(x))}


class GPTJForCausalLM(ForCausalLM, GPTJPreTrainedModel):
    base_class = GPTJModel
    head_bias = True
    tied = {"lm_head.weight": "transformer.wte.weight"}


class GPTJForSequenceClassification(CausalForSequenceClassification, GPTJPreTrainedModel):
    base_class = GPTJModel


class GPTJForQuestionAnswering(ForQuestionAnswering, GPTJPreTrainedModel):
    base_class = GPTJModel
