"""GPT (Radford et al., 2018): GPT-2 with norms after its parts, and no cache in its output."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Conv1D, Dropout, Embedding, LayerNorm
from ..core.module import Module
from ..core.state import State
from . import gpt2
from .config import PretrainedConfig
from .heads import CausalForSequenceClassification, ForCausalLM
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput, CausalLMOutput, ModelOutput, SequenceClassifierOutput
from .pruning import Counted


class OpenAIGPTConfig(PretrainedConfig):
    model_type = "openai-gpt"
    attribute_map = gpt2.GPT2Config.attribute_map
    vocab_size: int = 40478
    n_positions: int = 512
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    afn: str = "gelu"
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


class Attention(Counted):
    def __init__(self, config: OpenAIGPTConfig, layer: int):
        n = config.n_embd
        self.c_attn = Conv1D(n, 3 * n)
        self.c_proj = Conv1D(n, n)
        self.attn_dropout = Dropout(config.attn_pdrop)
        self.resid_dropout = Dropout(config.resid_pdrop)
        self.layer, self.heads = layer, config.n_head
        self.scale = 1.0 / math.sqrt(n // config.n_head)

    def __call__(self, x: Any, state: State) -> Any:
        parts = self.c_attn(x)
        parts = ops.split(parts, sizes=(parts.shape[-1] // 3,) * 3)
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        out = state.attend(self.layer, q, k, v, self.scale, self.attn_dropout.rate)
        return self.resid_dropout(self.c_proj(ops.merge_heads(out)))


class MLP(Module):
    def __init__(self, config: OpenAIGPTConfig):
        self.c_fc = Conv1D(config.n_embd, 4 * config.n_embd)
        self.c_proj = Conv1D(4 * config.n_embd, config.n_embd)
        # its "gelu" is what later models call gelu_new
        self.act = ops.activation("gelu_new" if config.afn == "gelu" else config.afn)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.c_proj(ops.activate(self.act, self.c_fc(x))))


class Block(Module):
    def __init__(self, config: OpenAIGPTConfig, layer: int):
        self.attn = Attention(config, layer)
        self.ln_1 = LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = MLP(config)
        self.ln_2 = LayerNorm(config.n_embd, config.layer_norm_epsilon)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.ln_1(x + self.attn(x, state))
        return self.ln_2(x + self.mlp(x))


class OpenAIGPTPreTrainedModel(PreTrainedModel):
    config_class = OpenAIGPTConfig
    base_model_prefix = "transformer"
    input_embeddings = "tokens_embed"
    attention_heads = gpt2.GPT2PreTrainedModel.attention_heads
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )
    ignore = (".attn.bias",)  # causal masks, in the first files


class OpenAIGPTModel(OpenAIGPTPreTrainedModel):
    output_class = BaseModelOutput

    def __init__(self, config: OpenAIGPTConfig):
        super().__init__(config)
        self.tokens_embed = Embedding(config.vocab_size, config.n_embd)
        self.positions_embed = Embedding(config.n_positions, config.n_embd)
        self.drop = Dropout(config.embd_pdrop)
        self.h = [Block(config, layer) for layer in range(config.n_layer)]

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.tokens_embed, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        x = x + self.positions_embed(state.positions(x, position_ids))
        if token_type_ids is not None:
            x = x + self.tokens_embed(token_type_ids)
        x = self.drop(x)
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(x)}


class OpenAIGPTLMHeadModel(ForCausalLM, OpenAIGPTPreTrainedModel):
    base_class = OpenAIGPTModel
    output_class = CausalLMOutput
    tied = {"lm_head.weight": "transformer.tokens_embed.weight"}


class OpenAIGPTForSequenceClassification(CausalForSequenceClassification, OpenAIGPTPreTrainedModel):
    base_class = OpenAIGPTModel
    output_class = SequenceClassifierOutput


class OpenAIGPTDoubleHeadsModelOutput(ModelOutput):
    """logits: (batch, choices, seq, vocab); mc_logits: (batch, choices)"""

    loss: Any = None
    mc_loss: Any = None
    logits: Any = None
    mc_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class OpenAIGPTDoubleHeadsModel(gpt2.GPT2DoubleHeadsModel):
    config_class = OpenAIGPTConfig
    input_embeddings = "tokens_embed"
    base_class = OpenAIGPTModel
    output_class = OpenAIGPTDoubleHeadsModelOutput
    inputs = (*OpenAIGPTPreTrainedModel.inputs, "mc_token_ids")
    tied = OpenAIGPTLMHeadModel.tied
