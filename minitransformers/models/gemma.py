"""Gemma (Mesnard et al., 2024): Llama with wide heads, gelu, scaled embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import RMSNorm
from ..core.random import Generator
from ..core.state import State
from . import llama
from .config import PretrainedConfig


class GemmaConfig(PretrainedConfig):
    model_type = "gemma"
    vocab_size: int = 256000
    hidden_size: int = 3072
    intermediate_size: int = 24576
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    num_key_value_heads: int = 16
    head_dim: int = 256
    hidden_act: str = "gelu_pytorch_tanh"
    hidden_activation: str | None = None
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


class GemmaRMSNorm(RMSNorm):
    """RMSNorm whose weight is stored less one, so that fresh weights are zeros."""

    def __call__(self, x: Any) -> Any:
        return ops.rms_norm(x, self.weight + 1.0, eps=self.eps)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return np.zeros(self.weight.shape, np.float32)


class MLP(llama.MLP):
    def __init__(self, config: GemmaConfig):
        # the first files say "gelu" under the other name, and were trained with its approximation
        super().__init__(config, config.hidden_activation or "gelu_pytorch_tanh")


class Block(llama.Block):
    feed_forward = MLP
    norm = GemmaRMSNorm


class GemmaModel(llama.LlamaModel):
    config_class = GemmaConfig
    block = Block

    def prepare(self, state: State, x: Any, positions: Any) -> Any:
        return super().prepare(state, x, positions) * math.sqrt(self.config.hidden_size)


class GemmaForCausalLM(llama.LlamaForCausalLM):
    config_class = GemmaConfig
    base_class = GemmaModel


class GemmaForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = GemmaConfig
    base_class = GemmaModel


class GemmaForTokenClassification(llama.LlamaForTokenClassification):
    config_class = GemmaConfig
    base_class = GemmaModel
