"""Mixtral 8x7B and 8x22B (Jiang et al., 2024): Mistral with a mixture of experts in each block."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Linear
from ..core.module import Module
from ..core.primitive import value_of
from ..core.random import default_generator
from ..core.state import State
from . import llama
from .config import PretrainedConfig
from .outputs import ModelOutput


class MixtralConfig(PretrainedConfig):
    model_type = "mixtral"
    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 8
    hidden_act: str = "silu"
    max_position_embeddings: int = 131072
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    tie_word_embeddings: bool = False
    rope_theta: float = 1e6
    sliding_window: int | None = None
    attention_dropout: float = 0.0
    num_experts_per_tok: int = 2
    num_local_experts: int = 8
    output_router_logits: bool = False
    router_aux_loss_coef: float = 0.001
    router_jitter_noise: float = 0.0

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)


class MoeModelOutputWithPast(ModelOutput):
    """router_logits: (batch * seq, experts), one a layer"""

    last_hidden_state: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    router_logits: Any = None


class MoeCausalLMOutputWithPast(ModelOutput):
    """aux_loss: how unevenly the experts are used; router_logits: (batch * seq, experts) a layer"""

    loss: Any = None
    aux_loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    router_logits: Any = None


class Attention(llama.Attention):
    def __init__(self, config: MixtralConfig, layer: int):
        super().__init__(config, layer, bias=False, window=config.sliding_window)


class Expert(Module):
    def __init__(self, config: MixtralConfig):
        n, inner = config.hidden_size, config.intermediate_size
        self.w1 = Linear(n, inner, bias=False)
        self.w2 = Linear(inner, n, bias=False)
        self.w3 = Linear(n, inner, bias=False)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.w2(ops.activate(self.act, self.w1(x), times=self.w3(x)))


class MixtureOfExperts(Module):
    """Each token goes to the few experts whose router logits are highest, and gets their mean,
    weighted by the softmax of those logits."""

    def __init__(self, config: MixtralConfig):
        self.gate = Linear(config.hidden_size, config.num_local_experts, bias=False)
        self.experts = [Expert(config) for _ in range(config.num_local_experts)]
        self.chosen, self.noise = config.num_experts_per_tok, config.router_jitter_noise

    def __call__(self, x: Any, state: State) -> Any:
        shape = x.shape
        if self.training and self.noise > 0:
            jitter = default_generator.uniform(shape, 1.0 - self.noise, 1.0 + self.noise)
            x = x * jitter.astype(value_of(x).dtype, copy=False)
        x = ops.reshape(x, shape=(-1, shape[-1]))
        logits = self.gate(x)
        state.router_logits.append(logits)
        rows = np.arange(x.shape[0])[:, None]
        experts = choose(value_of(logits), self.chosen)
        weights = ops.softmax(logits[rows, experts])

        order = np.argsort(experts.reshape(-1), kind="stable")  # (row, choice), by expert
        stops = np.cumsum(np.bincount(experts.reshape(-1), minlength=len(self.experts)))
        shares = np.split(order // self.chosen, stops[:-1])
        parts = [expert(x[own]) for expert, own in zip(self.experts, shares) if own.size]
        back = np.argsort(order).reshape(experts.shape)
        answers = ops.concatenate(*parts, axis=0)[back]  # (rows, chosen, hidden)
        mixed = answers * ops.reshape(weights, shape=(*experts.shape, 1))
        return ops.reshape(ops.mean(mixed, axis=1) * float(self.chosen), shape=shape)


def choose(logits: np.ndarray, n: int) -> np.ndarray:
    """The n best experts of each row, best first. -> (rows, n)"""
    return np.argsort(-logits, axis=-1, kind="stable")[:, :n]


def balance_loss(layers: list, chosen: int, attention_mask: Any) -> Any:
    """How unevenly tokens are spread over experts (Fedus et al., 2021). -> ()

    layers: router logits, (batch * seq, experts) each; padding does not count
    """
    logits = ops.concatenate(*layers, axis=0)
    rows, experts = logits.shape
    weight = np.ones((rows, 1), np.float32)
    if attention_mask is not None:
        weight = np.tile(attention_mask.reshape(-1, 1), (rows // attention_mask.size, 1))
    weight = (weight / weight.sum()).astype(np.float32)
    used = np.zeros((rows, experts), np.float32)
    np.put_along_axis(used, choose(value_of(logits), chosen), 1.0, axis=-1)
    share = (used * weight).sum(0)
    terms = ops.softmax(logits) * (share * weight)
    mean = ops.mean(ops.reshape(terms, shape=(-1,)), axis=0)
    return ops.mul(mean, float(rows * experts * experts))


class Block(llama.Block):
    attention = Attention

    def __init__(self, config: MixtralConfig, layer: int):
        self.self_attn = Attention(config, layer)
        self.block_sparse_moe = MixtureOfExperts(config)
        self.input_layernorm = self.norm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = self.norm(config.hidden_size, config.rms_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.self_attn(self.input_layernorm(x), state)
        return x + self.block_sparse_moe(self.post_attention_layernorm(x), state)


class MixtralModel(llama.LlamaModel):
    config_class = MixtralConfig
    block = Block
    output_class = MoeModelOutputWithPast
    inputs = (*llama.LlamaModel.inputs, "output_router_logits")

    def forward(
        self, state: State, output_router_logits: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        values = super().forward(state, **inputs)
        if output_router_logits is None:
            output_router_logits = self.config.output_router_logits
        if output_router_logits:
            values["router_logits"] = tuple(state.router_logits)
        return values


class MixtralForCausalLM(llama.LlamaForCausalLM):
    config_class = MixtralConfig
    base_class = MixtralModel
    output_class = MoeCausalLMOutputWithPast
    inputs = MixtralModel.inputs

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.base_model.forward(state, **inputs)
        values["logits"] = self.logits(state.tail(values.pop("last_hidden_state")))
        if "router_logits" in values:
            chosen, mask = self.config.num_experts_per_tok, inputs.get("attention_mask")
            values["aux_loss"] = balance_loss(state.router_logits, chosen, mask)
        return values

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        losses = super().loss(values, labels)
        if "aux_loss" in values:
            weighted = ops.mul(values["aux_loss"], self.config.router_aux_loss_coef)
            losses["loss"] = losses["loss"] + weighted
        return losses


class MixtralForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = MixtralConfig
    base_class = MixtralModel


class MixtralForTokenClassification(llama.LlamaForTokenClassification):
    config_class = MixtralConfig
    base_class = MixtralModel


class MixtralForQuestionAnswering(llama.LlamaForQuestionAnswering):
    config_class = MixtralConfig
    base_class = MixtralModel
    base_model_prefix = "model"
