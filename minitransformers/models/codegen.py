"""CodeGen (Nijkamp et al., 2022): GPT-J with a fused projection, laid out for four processors."""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.layers import Linear
from . import gptj
from .config import PretrainedConfig

_PROCESSORS = 4  # of the training: each has its heads' queries, values and keys side by side


class CodeGenConfig(PretrainedConfig):
    model_type = "codegen"
    attribute_map = gptj.GPTJConfig.attribute_map
    vocab_size: int = 50400
    n_positions: int = 2048
    n_ctx: int = 2048
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


class Attention(gptj.Attention):
    def add_projections(self, n: int) -> None:
        self.qkv_proj = Linear(n, 3 * n, bias=False)
        self.out_proj = Linear(n, n, bias=False)

    def project(self, x: Any) -> tuple:
        fused = self.qkv_proj(x)
        n = x.shape[-1] // _PROCESSORS
        parts = ops.reshape(fused, shape=(*x.shape[:-1], _PROCESSORS, 3 * n))
        q, v, k = (ops.reshape(part, shape=x.shape) for part in ops.split(parts, sizes=(n, n, n)))
        return q, k, v


class Block(gptj.Block):
    attention = Attention


class CodeGenModel(gptj.GPTJModel):
    config_class = CodeGenConfig
    block = Block


class CodeGenForCausalLM(gptj.GPTJForCausalLM):
    config_class = CodeGenConfig
    base_class = CodeGenModel
