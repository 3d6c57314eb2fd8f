"""GPT-2 (Radford et al., 2019). Attribute paths are the checkpoint's names."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..core import ops
from ..core.layers import Conv1D, Dropout, Embedding, LayerNorm
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    CausalForSequenceClassification,
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
    SequenceSummary,
    flatten_choices,
    next_token_loss,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutputWithPastAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    ModelOutput,
)
from .pruning import Counted, Heads


class GPT2Config(PretrainedConfig):
    model_type = "gpt2"
    attribute_map = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    summary_type: str = "cls_index"
    summary_use_proj: bool = True
    summary_activation: str | None = None
    summary_proj_to_labels: bool = True
    summary_first_dropout: float = 0.1
    scale_attn_weights: bool = True
    use_cache: bool = True
    bos_token_id: int = 50256
    eos_token_id: int = 50256
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False


class Attention(Counted):
    def __init__(self, config: GPT2Config, layer: int, cross: bool = False):
        n = config.n_embd
        self.cross = cross
        self.c_attn = Conv1D(n, 2 * n if cross else 3 * n)
        if cross:
            self.q_attn = Conv1D(n, n)
        self.c_proj = Conv1D(n, n)
        self.attn_dropout = Dropout(config.attn_pdrop)
        self.resid_dropout = Dropout(config.resid_pdrop)
        self.layer, self.heads = layer, config.n_head
        self.scale = 1.0 / math.sqrt(n // config.n_head) if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.scale /= layer + 1

    def split(self, x: Any, n: int) -> tuple:
        """(batch, seq, n * hidden) -> n of (batch, heads, seq, head_dim)"""
        parts = ops.split(x, sizes=(x.shape[-1] // n,) * n)
        return tuple(ops.split_heads(part, heads=self.heads) for part in parts)

    def __call__(self, x: Any, state: State) -> Any:
        drop = self.attn_dropout.rate
        if self.cross:
            (q,) = self.split(self.q_attn(x), 1)
            project = lambda source: self.split(self.c_attn(source), 2)
            out = state.attend_source(self.layer, q, project, self.scale, drop)
        else:
            q, k, v = self.split(self.c_attn(x), 3)
            out = state.attend(self.layer, q, k, v, self.scale, drop)
        return self.resid_dropout(self.c_proj(ops.merge_heads(out)))


class MLP(Module):
    def __init__(self, config: GPT2Config):
        inner = config.n_inner or 4 * config.n_embd
        self.c_fc = Conv1D(config.n_embd, inner)
        self.c_proj = Conv1D(inner, config.n_embd)
        self.act = ops.activation(config.activation_function)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.c_proj(ops.activate(self.act, self.c_fc(x))))


class Block(Module):
    attention: ClassVar[Any] = Attention
    feed_forward: ClassVar[Any] = MLP

    def __init__(self, config: Any, layer: int):
        self.ln_1 = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.attn = self.attention(config, layer)
        self.ln_2 = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        if config.add_cross_attention:
            self.crossattention = Attention(config, layer, cross=True)
            self.ln_cross_attn = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = self.feed_forward(config)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.attn(self.ln_1(x), state)
        if state.source is not None:
            x = x + self.crossattention(self.ln_cross_attn(x), state)
        return x + self.mlp(self.ln_2(x))


class GPT2PreTrainedModel(PreTrainedModel):
    config_class = GPT2Config
    base_model_prefix = "transformer"
    input_embeddings = "wte"
    attention_heads = Heads(r"h\.\d+\.attn", inputs=("c_attn",), output="c_proj")
    inputs = (
        "input_ids",
        "past_key_values",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
        "encoder_hidden_states",
        "encoder_attention_mask",
    )
    ignore = (".attn.bias", ".crossattention.bias")  # causal masks, in the first GPT-2 files

    redraws = ("c_proj",)

    def initial_std(self, name: str) -> float:
        std = self.config.initializer_range
        return std / math.sqrt(2 * self.config.n_layer) if name.endswith("c_proj.weight") else std


class GPT2Model(GPT2PreTrainedModel):
    output_class = BaseModelOutputWithPastAndCrossAttentions
    block: ClassVar[Any] = Block

    def __init__(self, config: Any):
        super().__init__(config)
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.wpe = Embedding(config.n_positions, config.n_embd)
        self.drop = Dropout(config.embd_pdrop)
        self.h = [self.block(config, layer) for layer in range(config.n_layer)]
        self.ln_f = LayerNorm(config.n_embd, config.layer_norm_epsilon)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.wte, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        x = x + self.wpe(state.positions(x, position_ids))
        if token_type_ids is not None:
            x = x + self.wte(token_type_ids)
        x = self.drop(x)
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.ln_f(x))}


class GPT2LMHeadModel(ForCausalLM, GPT2PreTrainedModel):
    base_class = GPT2Model
    output_class = CausalLMOutputWithCrossAttentions
    tied = {"lm_head.weight": "transformer.wte.weight"}


class GPT2ForSequenceClassification(CausalForSequenceClassification, GPT2PreTrainedModel):
    base_class = GPT2Model


class GPT2ForTokenClassification(ForTokenClassification, GPT2PreTrainedModel):
    base_class = GPT2Model


class GPT2ForQuestionAnswering(ForQuestionAnswering, GPT2PreTrainedModel):
    base_class = GPT2Model
    outputs = 2


class GPT2DoubleHeadsModelOutput(ModelOutput):
    """logits: (batch, choices, seq, vocab); mc_logits: (batch, choices)"""

    loss: Any = None
    mc_loss: Any = None
    logits: Any = None
    mc_logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


class GPT2DoubleHeadsModel(ForCausalLM, GPT2PreTrainedModel):
    """A language model and a choice between continuations: inputs are (batch, choices, seq)."""

    base_class = GPT2Model
    output_class = GPT2DoubleHeadsModelOutput
    inputs = (*GPT2PreTrainedModel.inputs[:7], "mc_token_ids")
    targets = ("labels", "mc_labels")
    tied = GPT2LMHeadModel.tied

    def __init__(self, config: GPT2Config):
        super().__init__(config)
        self.multiple_choice_head = SequenceSummary(config, classes=1)

    def forward(self, state: State, mc_token_ids: Any = None, **inputs: Any) -> dict[str, Any]:
        example: Any = inputs.get("input_ids", inputs.get("inputs_embeds"))
        leading, seq = example.shape[:-1], example.shape[-1]
        if "input_ids" not in inputs:
            leading, seq = example.shape[:-2], example.shape[-2]
        x = self.hidden(state, **flatten_choices(inputs))
        at = np.full(x.shape[0], seq - 1) if mc_token_ids is None else mc_token_ids.reshape(-1)
        logits = self.lm_head(x)
        if state.hidden_states:  # the last one has the input's axes, as the reference gives it
            state.hidden_states[-1] = ops.reshape(x, shape=(*leading, seq, x.shape[-1]))
        return {
            "logits": ops.reshape(logits, shape=(*leading, seq, logits.shape[-1])),
            "mc_logits": ops.reshape(self.multiple_choice_head(x, at), shape=leading),
        }

    def loss(
        self, values: dict[str, Any], labels: Any = None, mc_labels: Any = None
    ) -> dict[str, Any]:
        losses = {}
        if labels is not None:
            logits = values["logits"]
            rows = ops.reshape(logits, shape=(-1, *logits.shape[-2:]))
            losses["loss"] = next_token_loss(rows, labels.reshape(-1, labels.shape[-1]))
        if mc_labels is not None:
            losses["mc_loss"] = token_loss(values["mc_logits"], mc_labels)
        return losses
