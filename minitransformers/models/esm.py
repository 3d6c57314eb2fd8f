"""ESM-1b and ESM-2 (Rives et al., 2021; Lin et al., 2023): encoders of proteins."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.state import State
from .bert import BERT_HEADS, BertPooler
from .config import PretrainedConfig
from .heads import (
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPoolingAndCrossAttentions
from .pruning import Counted

MASKED_IN_TRAINING = 0.15 * 0.8  # the share of tokens that training replaced by the mask token


class EsmConfig(PretrainedConfig):
    model_type = "esm"
    vocab_size: int | None = None
    mask_token_id: int | None = None
    pad_token_id: int | None = None
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 1026
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"
    use_cache: bool = True
    emb_layer_norm_before: bool | None = None
    token_dropout: bool = False
    is_folding_model: bool = False
    esmfold_config: dict | None = None
    vocab_list: list | None = None


class EsmEmbeddings(Module):
    def __init__(self, config: EsmConfig):
        n = config.hidden_size
        assert config.vocab_size is not None
        self.word_embeddings = Embedding(config.vocab_size, n, config.pad_token_id)
        self.layer_norm = LayerNorm(n, config.layer_norm_eps)
        self.position_embeddings = Embedding(config.max_position_embeddings, n, config.pad_token_id)
        if not config.emb_layer_norm_before:
            del self.layer_norm
        self.config = config

    def __call__(self, x: Any, input_ids: Any, positions: np.ndarray, mask: Any) -> Any:
        config = self.config
        if config.token_dropout and input_ids is not None:
            x = self.without_masked(x, input_ids, mask)
        if config.position_embedding_type == "absolute":
            x = x + self.position_embeddings(positions)
        if config.emb_layer_norm_before:
            x = self.layer_norm(x)
        return x if mask is None else x * mask.astype(np.float32)[:, :, None]

    def without_masked(self, x: Any, input_ids: np.ndarray, mask: Any) -> Any:
        """Mask tokens are zeros; the others grow to what they summed up to in training."""
        masked = input_ids == self.config.mask_token_id
        tokens = input_ids.shape[1] if mask is None else mask.sum(1)
        share = (masked.sum(1) / tokens).astype(np.float32)
        factor = np.where(masked, np.float32(0.0), np.float32(1.0))
        factor = factor * ((1 - MASKED_IN_TRAINING) / (1 - share)).astype(np.float32)[:, None]
        return x * factor[:, :, None]


class EsmSelfAttention(Counted):
    def __init__(self, config: EsmConfig, layer: int):
        n = config.hidden_size
        if config.position_embedding_type not in ("absolute", "rotary"):
            raise ValueError(
                f"position_embedding_type {config.position_embedding_type!r} is neither 'absolute' "
                "nor 'rotary', which ESM's checkpoints have"
            )
        self.query, self.key, self.value = Linear(n, n), Linear(n, n), Linear(n, n)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, config.num_attention_heads
        self.head_dim = n // config.num_attention_heads
        self.rotary = config.position_embedding_type == "rotary"

    def __call__(self, x: Any, state: State) -> Any:
        parts = (self.query(x), self.key(x), self.value(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        if self.rotary:
            frequencies = ops.inverse_frequencies(self.head_dim, 10000.0)
            cos, sin = ops.rotary_table(state.positions(x), frequencies)
            q, k = ops.rotary(q, cos=cos, sin=sin), ops.rotary(k, cos=cos, sin=sin)
        scale = self.head_dim**-0.5
        return ops.merge_heads(state.attend(self.layer, q, k, v, scale, self.dropout.rate))


class EsmResidual(Module):
    def __init__(self, config: EsmConfig, inputs: int):
        self.dense = Linear(inputs, config.hidden_size)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def __call__(self, x: Any, residual: Any) -> Any:
        return self.dropout(self.dense(x)) + residual


class EsmAttention(Module):
    def __init__(self, config: EsmConfig, layer: int):
        self.self = EsmSelfAttention(config, layer)
        self.output = EsmResidual(config, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.self(self.LayerNorm(x), state), x)


class EsmIntermediate(Module):
    def __init__(self, config: EsmConfig):
        self.dense = Linear(config.hidden_size, config.intermediate_size)

    def __call__(self, x: Any) -> Any:
        return ops.gelu(self.dense(x))


class EsmLayer(Module):
    def __init__(self, config: EsmConfig, layer: int):
        self.attention = EsmAttention(config, layer)
        self.intermediate = EsmIntermediate(config)
        self.output = EsmResidual(config, config.intermediate_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.attention(x, state)
        return self.output(self.intermediate(self.LayerNorm(x)), x)


class EsmEncoder(Module):
    def __init__(self, config: EsmConfig):
        self.layer = [EsmLayer(config, i) for i in range(config.num_hidden_layers)]
        self.emb_layer_norm_after = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(self.emb_layer_norm_after(x))


class EsmContactPredictionHead(Module):
    def __init__(self, config: EsmConfig):
        self.regression = Linear(config.num_hidden_layers * config.num_attention_heads, 1)

    def __call__(self, ids: np.ndarray, attentions: np.ndarray) -> np.ndarray:
        """attentions: (batch, layers, heads, seq, seq) -> (batch, seq - 2, seq - 2) probabilities

        By how much more two residues attend to each other than each to all (Rao et al., 2020).
        """
        eos = 2
        shown = (ids != eos).astype(np.float32)
        attentions = attentions * (shown[:, :, None] * shown[:, None])[:, None, None]
        x = attentions[..., 1:-1, 1:-1]  # without the tokens around the protein
        x = x.reshape(x.shape[0], -1, *x.shape[-2:])
        x = x + x.swapaxes(-1, -2)
        rows, columns = x.sum(-1, keepdims=True), x.sum(-2, keepdims=True)
        x = x - rows * columns / x.sum((-1, -2), keepdims=True)
        return ops.sigmoid(self.regression(x.transpose(0, 2, 3, 1))[..., 0])


class EsmPreTrainedModel(PreTrainedModel):
    config_class = EsmConfig
    base_model_prefix = "esm"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = BERT_HEADS
    inputs = ("input_ids", "attention_mask", "position_ids", "head_mask", "inputs_embeds")
    ignore = ("rotary_embeddings.inv_freq",)

    def _caches(self) -> bool:
        return False


class EsmModel(EsmPreTrainedModel):
    output_class = BaseModelOutputWithPoolingAndCrossAttentions

    def __init__(self, config: EsmConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = EsmEmbeddings(config)
        self.encoder = EsmEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.contact_head = EsmContactPredictionHead(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        pad = self.config.pad_token_id
        positions = state.positions_of(x, input_ids, 0 if pad is None else pad, position_ids)
        x = self.embeddings(x, input_ids, positions, attention_mask)
        x = self.encoder(x, state)
        pooled = None if self.pooler is None else self.pooler(x)
        return {"last_hidden_state": x, "pooler_output": pooled}

    def predict_contacts(self, tokens: Any, attention_mask: Any) -> np.ndarray:
        """Which residues touch. tokens, attention_mask: (batch, seq) -> (batch, seq-2, seq-2)"""
        tokens, mask = np.asarray(tokens), np.asarray(attention_mask, np.float32)
        output = self(tokens, attention_mask, output_attentions=True)
        attentions = np.stack(output.attentions, axis=1)
        both = mask[:, None, :] * mask[:, :, None]
        return self.contact_head(tokens, attentions * both[:, None, None])


class EsmLMHead(Module):
    def __init__(self, config: EsmConfig):
        assert config.vocab_size is not None
        self.bias = placeholder(config.vocab_size)
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.decoder = Linear(config.hidden_size, config.vocab_size, bias=False)

    def __call__(self, x: Any) -> Any:
        return self.decoder(self.layer_norm(ops.gelu(self.dense(x)))) + self.bias


class EsmForMaskedLM(ForMaskedLM, EsmPreTrainedModel):
    base_class = EsmModel
    base_options = {"add_pooling_layer": False}
    tied = {"lm_head.decoder.weight": "esm.embeddings.word_embeddings.weight"}
    per_token = {"lm_head.bias": "zeros"}

    def __init__(self, config: EsmConfig):
        super().__init__(config)
        self.lm_head = EsmLMHead(config)

    def predict(self, x: Any) -> Any:
        return self.lm_head(x)

    def predict_contacts(self, tokens: Any, attention_mask: Any) -> np.ndarray:
        """As `EsmModel.predict_contacts`."""
        return self.esm.predict_contacts(tokens, attention_mask)


class EsmForSequenceClassification(FirstTokenForSequenceClassification, EsmPreTrainedModel):
    base_class = EsmModel
    base_options = {"add_pooling_layer": False}


class EsmForTokenClassification(ForTokenClassification, EsmPreTrainedModel):
    base_class = EsmModel
    base_options = {"add_pooling_layer": False}
