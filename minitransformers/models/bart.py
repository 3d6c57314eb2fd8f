"""BART (Lewis et al., 2019). Attribute paths are the checkpoint's names.

Its stacks are also those of mBART, Pegasus, Marian, M2M-100 and Blenderbot, which differ in what
`BartStack` names: where the norms stand and how positions are embedded.
"""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerDrop, LayerNorm, Linear, ScaledEmbedding
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import ForCausalLM, token_loss
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutputWithPastAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    Seq2SeqModelOutput,
)
from .seq2seq import (
    EncoderDecoder,
    ForConditionalGeneration,
    Seq2SeqForQuestionAnswering,
    Seq2SeqForSequenceClassification,
)


class BartLikeConfig(PretrainedConfig):
    """The fields that BART and its relatives share."""

    attribute_map = {"hidden_size": "d_model", "num_attention_heads": "encoder_attention_heads"}
    vocab_size: int = 50265
    max_position_embeddings: int = 1024
    encoder_layers: int = 12
    encoder_ffn_dim: int = 4096
    encoder_attention_heads: int = 16
    decoder_layers: int = 12
    decoder_ffn_dim: int = 4096
    decoder_attention_heads: int = 16
    encoder_layerdrop: float = 0.0
    decoder_layerdrop: float = 0.0
    activation_function: str = "gelu"
    d_model: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    init_std: float = 0.02
    scale_embedding: bool = False
    use_cache: bool = True
    num_hidden_layers: int | None = None
    is_encoder_decoder: bool = True

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.num_hidden_layers = self.encoder_layers


class BartConfig(BartLikeConfig):
    model_type = "bart"
    classifier_dropout: float = 0.0
    id2label: dict[int, str] = {i: f"LABEL_{i}" for i in range(3)}
    label2id: dict[str, int] = {f"LABEL_{i}": i for i in range(3)}
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    decoder_start_token_id: int | None = 2
    forced_eos_token_id: int | None = 2

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        # how the first summarisation checkpoints asked for it
        if self.forced_bos_token_id is None and kwargs.get("force_bos_token_to_be_generated"):
            self.forced_bos_token_id = self.bos_token_id


class LearnedPositions(Embedding):
    """A table of positions, whose first `offset` rows are not used."""

    offset: ClassVar[int] = 2

    def __init__(self, config: Any):
        super().__init__(config.max_position_embeddings + self.offset, config.d_model)

    def at(self, x: Any, state: State) -> Any:
        """x: (batch, seq, hidden) -> (1, seq, hidden)"""
        return self(state.positions(x) + self.offset)


class BartAttention(Module):
    def __init__(self, config: Any, layer: int, heads: int, cross: bool = False):
        n, bias = config.d_model, getattr(config, "use_bias", True)
        self.k_proj, self.v_proj = Linear(n, n, bias), Linear(n, n, bias)
        self.q_proj, self.out_proj = Linear(n, n, bias), Linear(n, n, bias)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.heads, self.cross = layer, heads, cross
        self.scale = (n // heads) ** -0.5

    def project(self, x: Any) -> tuple:
        """(batch, seq, hidden) -> keys and values, (batch, heads, seq, head_dim)"""
        k, v = self.k_proj(x), self.v_proj(x)
        return ops.split_heads(k, heads=self.heads), ops.split_heads(v, heads=self.heads)

    def __call__(self, x: Any, state: State) -> Any:
        q, drop = ops.split_heads(self.q_proj(x), heads=self.heads), self.dropout.rate
        if self.cross:
            out = state.attend_source(self.layer, q, self.project, self.scale, drop)
        else:
            k, v = self.project(x)
            out = state.attend(self.layer, q, k, v, self.scale, drop)
        return self.out_proj(ops.merge_heads(out))


class BartLayer(Module):
    """A layer of the encoder or, with attention to the encoder, of the decoder.

    pre_norm: whether a part sees its input normed, or the sum with what it makes is normed
    """

    def __init__(self, config: Any, layer: int, decoder: bool, pre_norm: bool):
        n, side = config.d_model, "decoder" if decoder else "encoder"
        heads = getattr(config, f"{side}_attention_heads")
        inner = getattr(config, f"{side}_ffn_dim")
        self.self_attn = self.attention(config, layer, heads)
        self.self_attn_layer_norm = LayerNorm(n)
        if decoder:
            self.encoder_attn = BartAttention(config, layer, heads, cross=True)
            self.encoder_attn_layer_norm = LayerNorm(n)
        self.fc1, self.fc2 = Linear(n, inner), Linear(inner, n)
        self.final_layer_norm = LayerNorm(n)
        self.act = ops.activation(config.activation_function)
        self.dropout = Dropout(config.dropout)
        self.activation_dropout = Dropout(config.activation_dropout)
        self.pre_norm = pre_norm

    def attention(self, config: Any, layer: int, heads: int) -> Module:
        """Make the attention of the layer to its own sequence."""
        return BartAttention(config, layer, heads)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.add(x, self.self_attn_layer_norm, lambda y: self.self_attn(y, state))
        if state.source is not None:
            x = self.add(x, self.encoder_attn_layer_norm, lambda y: self.encoder_attn(y, state))
        return self.add(x, self.final_layer_norm, self.feed_forward)

    def add(self, x: Any, norm: LayerNorm, part: Any) -> Any:
        if self.pre_norm:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))

    def feed_forward(self, x: Any) -> Any:
        return self.fc2(self.activation_dropout(ops.activate(self.act, self.fc1(x))))


class BartStack(Module):
    """Encoder or decoder.

    pre_norm: norms stand before the parts of a layer, and one, `last_norm`, after the last layer
    norms_embeddings: a norm stands before the first layer
    positions: what embeds positions, `at(x, state)`
    """

    drawn_at_once = True
    pre_norm: ClassVar[bool] = False
    last_norm: ClassVar[str] = "layer_norm"
    norms_embeddings: ClassVar[bool] = True
    positions: ClassVar[Any] = LearnedPositions

    def __init__(self, config: Any, decoder: bool):
        n = config.d_model
        scale = math.sqrt(n) if config.scale_embedding else 1.0
        vocab = (decoder and getattr(config, "decoder_vocab_size", None)) or config.vocab_size
        layers = config.decoder_layers if decoder else config.encoder_layers
        self.embed_tokens = ScaledEmbedding(vocab, n, config.pad_token_id, scale)
        self.embed_positions = self.make_positions(config, decoder)
        self.layers = [self.make_layer(config, i, decoder) for i in range(layers)]
        if self.norms_embeddings:
            self.layernorm_embedding = LayerNorm(n)
        if self.pre_norm:
            setattr(self, self.last_norm, LayerNorm(n))
        self.dropout, self.decoder = Dropout(config.dropout), decoder
        self.layerdrop = self.make_layerdrop(config, decoder)

    def __call__(self, x: Any, state: State) -> Any:
        """x: (batch, seq, hidden) embeddings -> (batch, seq, hidden)"""
        return self.run(self.dropout(self.place(x, state)), state)

    def run(self, x: Any, state: State) -> Any:
        """The layers, on embeddings with their positions."""
        for layer in self.layers:
            state.keep(x)
            x = x if self.layerdrop.skips() else layer(x, state)
        return state.keep(getattr(self, self.last_norm)(x) if self.pre_norm else x)

    def make_layerdrop(self, config: Any, decoder: bool, always: bool = False) -> LayerDrop:
        return LayerDrop(config.decoder_layerdrop if decoder else config.encoder_layerdrop, always)

    def make_layer(self, config: Any, layer: int, decoder: bool) -> Module:
        return BartLayer(config, layer, decoder, self.pre_norm)

    def make_positions(self, config: Any, decoder: bool) -> Any:
        return self.positions(config)

    def place(self, x: Any, state: State) -> Any:
        """Add the positions to embeddings."""
        x = x + self.embed_positions.at(x, state)
        return self.layernorm_embedding(x) if self.norms_embeddings else x


class BartPreTrainedModel(PreTrainedModel):
    config_class = BartConfig
    base_model_prefix = "model"
    input_embeddings = "shared"
    ignore = ("encoder.version", "decoder.version")  # in files converted from fairseq
    stack_class: ClassVar[Any] = BartStack

    def initial_std(self, name: str) -> float:
        return self.config.init_std


class BartModel(EncoderDecoder, BartPreTrainedModel):
    output_class = Seq2SeqModelOutput
    caches_with_targets = False
    decodes_input = True
    always_tied = {
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }

    def __init__(self, config: Any):
        super().__init__(config)
        scale = math.sqrt(config.d_model) if config.scale_embedding else 1.0
        pad = config.pad_token_id
        self.shared = ScaledEmbedding(config.vocab_size, config.d_model, pad, scale)
        self.encoder = self.stack_class(config, decoder=False)
        self.decoder = self.stack_class(config, decoder=True)

    def input_table(self) -> Any:
        return self.shared


class BartHead(BartPreTrainedModel):
    base_class = BartModel
    always_tied = {f"model.{name}": "model.shared.weight" for name in BartModel.always_tied}


class BartForConditionalGeneration(ForConditionalGeneration, BartHead):
    tied = {"lm_head.weight": "model.shared.weight"}


class BartForSequenceClassification(Seq2SeqForSequenceClassification, BartHead):
    pass


class BartForQuestionAnswering(Seq2SeqForQuestionAnswering, BartHead):
    pass


class BartDecoderWrapper(BartPreTrainedModel):
    """The decoder alone, with or without an encoder's output to attend to."""

    output_class = BaseModelOutputWithPastAndCrossAttentions
    input_embeddings = "decoder.embed_tokens"

    def __init__(self, config: Any, stack_class: Any):
        super().__init__(config)
        self.decoder = stack_class(config, decoder=True)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.decoder.embed_tokens, input_ids, inputs_embeds)
        state.ids = input_ids
        state.look_back(x, attention_mask)
        state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        return {"last_hidden_state": self.decoder(x, state)}


class BartForCausalLM(ForCausalLM, BartPreTrainedModel):
    output_class = CausalLMOutputWithCrossAttentions
    input_embeddings = "decoder.embed_tokens"
    inputs = (
        "input_ids",
        "attention_mask",
        "encoder_hidden_states",
        "encoder_attention_mask",
        "head_mask",
        "cross_attn_head_mask",
        "past_key_values",
        "inputs_embeds",
    )
    tied = {"lm_head.weight": "model.decoder.embed_tokens.weight"}

    def __init__(self, config: Any):
        config = copy.deepcopy(config)
        config.is_decoder, config.is_encoder_decoder = True, False
        super().__init__(config)

    def base_class(self, config: Any) -> BartDecoderWrapper:
        return BartDecoderWrapper(config, self.stack_class)

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        """Position i is to predict label i: unlike other decoders, BART's does not shift them."""
        return {"loss": token_loss(values["logits"], labels)}
