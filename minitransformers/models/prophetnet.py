"""ProphetNet (Qi et al., 2020). Attribute paths are the checkpoint's names.

Its decoder predicts in streams beside the text's, see `ngram`.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State, head_factors
from .config import PretrainedConfig
from .heads import Head, token_loss
from .modeling import PreTrainedModel
from .ngram import NgramSelfAttention, Streams
from .outputs import BaseModelOutput, ModelOutput
from .seq2seq import EncoderDecoder, ForConditionalGeneration, as_encoder_outputs


class ProphetNetConfig(PretrainedConfig):
    """ngram: how many streams predict, the first of which is decoded from

    disable_ngram_loss: only the first counts in the loss; eps: label smoothing
    """

    model_type = "prophetnet"
    attribute_map = {"num_attention_heads": "num_encoder_attention_heads"}
    activation_dropout: float = 0.1
    activation_function: str = "gelu"
    vocab_size: int = 30522
    hidden_size: int = 1024
    encoder_ffn_dim: int = 4096
    num_encoder_layers: int = 12
    num_encoder_attention_heads: int = 16
    decoder_ffn_dim: int = 4096
    num_decoder_layers: int = 12
    num_decoder_attention_heads: int = 16
    attention_dropout: float = 0.1
    dropout: float = 0.1
    max_position_embeddings: int = 512
    init_std: float = 0.02
    is_encoder_decoder: bool = True
    add_cross_attention: bool = True
    decoder_start_token_id: int | None = 0
    ngram: int = 2
    num_buckets: int = 32
    relative_max_distance: int = 128
    disable_ngram_loss: bool = False
    eps: float = 0.0
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2

    @property
    def num_hidden_layers(self) -> int:
        """Of both stacks."""
        return self.num_encoder_layers + self.num_decoder_layers

    @num_hidden_layers.setter
    def num_hidden_layers(self, n: int) -> None:
        raise NotImplementedError(
            "num_hidden_layers follows from num_encoder_layers and num_decoder_layers: set these"
        )


class ProphetNetPositionalEmbeddings(Embedding):
    """A table of positions from pad + 1 on; what lies beyond its end is at its last."""

    def __init__(self, config: ProphetNetConfig):
        pad = config.pad_token_id
        super().__init__(config.max_position_embeddings, config.hidden_size, pad)
        self.first = (pad or 0) + 1

    def of(self, x: Any, state: State) -> np.ndarray:
        """Rows of the table. x: (batch, seq, hidden) -> (1, seq)"""
        return np.minimum(state.positions(x) + self.first, self.weight.shape[0] - 1)


class ProphetNetAttention(Module):
    def __init__(self, config: ProphetNetConfig, layer: int, heads: int, cross: bool = False):
        n = config.hidden_size
        self.key_proj, self.value_proj = Linear(n, n), Linear(n, n)
        self.query_proj, self.out_proj = Linear(n, n), Linear(n, n)
        self.attention_dropout = Dropout(config.attention_dropout)
        self.dropout = Dropout(config.dropout)
        self.layer, self.heads, self.cross = layer, heads, cross
        self.scale = (n // heads) ** -0.5

    def split(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, heads, seq, head_dim)"""
        return ops.split_heads(x, heads=self.heads)

    def project(self, x: Any) -> tuple:
        """-> keys and values"""
        return self.split(self.key_proj(x)), self.split(self.value_proj(x))

    def __call__(self, x: Any, state: State) -> Any:
        q, drop = self.split(self.query_proj(x)), self.attention_dropout.rate
        if self.cross:
            out = state.attend_source(self.layer, q, self.project, self.scale, drop)
        else:
            out = state.attend(self.layer, q, *self.project(x), self.scale, drop)
        kept = state.cross_attentions if self.cross else state.attentions
        if kept is not None:
            kept[-1] = self.scores(q, x, state)
        return self.dropout(self.out_proj(ops.merge_heads(out)))

    def scores(self, q: Any, x: Any, state: State) -> Any:
        """What the reference gives as attentions here: how well keys answer, before the softmax."""
        if self.cross:
            x, mask, head_mask = state.source, state.source_mask, state.source_head_mask
        else:
            mask, head_mask = state.mask, state.head_mask
        scores = ops.einsum(q * self.scale, self.project(x)[0], subscripts="bhsd,bhtd->bhst")
        hidden = None if mask is None else mask.additive()
        scores = scores if hidden is None else scores + hidden
        factors = head_factors(head_mask, self.layer)
        return scores if factors is None else scores * factors


class ProphetNetFeedForward(Module):
    def __init__(self, config: ProphetNetConfig, inner: int):
        self.intermediate = Linear(config.hidden_size, inner)
        self.output = Linear(inner, config.hidden_size)
        self.act = ops.activation(config.activation_function)
        self.activation_dropout = Dropout(config.activation_dropout)
        self.dropout = Dropout(config.dropout)

    def __call__(self, x: Any) -> Any:
        return self.dropout(
            self.output(self.activation_dropout(ops.activate(self.act, self.intermediate(x))))
        )


class ProphetNetEncoderLayer(Module):
    def __init__(self, config: ProphetNetConfig, layer: int):
        n = config.hidden_size
        self.self_attn = ProphetNetAttention(config, layer, config.num_encoder_attention_heads)
        self.self_attn_layer_norm = LayerNorm(n)
        self.feed_forward = ProphetNetFeedForward(config, config.encoder_ffn_dim)
        self.feed_forward_layer_norm = LayerNorm(n)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.self_attn_layer_norm(x + self.self_attn(x, state))
        return self.feed_forward_layer_norm(x + self.feed_forward(x))


class ProphetNetDecoderLayer(Module):
    def __init__(self, config: ProphetNetConfig, layer: int):
        n, heads = config.hidden_size, config.num_decoder_attention_heads
        self.self_attn = NgramSelfAttention(config, layer)
        self.self_attn_layer_norm = LayerNorm(n)
        if config.add_cross_attention:
            self.cross_attn = ProphetNetAttention(config, layer, heads, cross=True)
            self.cross_attn_layer_norm = LayerNorm(n)
        self.feed_forward = ProphetNetFeedForward(config, config.decoder_ffn_dim)
        self.feed_forward_layer_norm = LayerNorm(n)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.self_attn_layer_norm(x + self.self_attn(x, state))
        if state.source is not None:
            x = self.cross_attn_layer_norm(x + self.cross_attn(x, state))
        return self.feed_forward_layer_norm(x + self.feed_forward(x))


class ProphetNetDecoderModelOutput(ModelOutput):
    """Of the main stream and, by names with ngram, of the predicting ones: hidden states (batch,
    ngram * seq, hidden), attentions (batch, ngram, heads, seq, total + seq). cross_attentions are
    of all streams, and scores before the softmax."""

    last_hidden_state: Any = None
    last_hidden_state_ngram: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    hidden_states_ngram: Any = None
    attentions: Any = None
    ngram_attentions: Any = None
    cross_attentions: Any = None


class ProphetNetDecoderLMOutput(ModelOutput):
    """logits: (batch, seq, vocab) of the first stream that predicts; logits_ngram: (batch,
    ngram - 1, seq, vocab) of the others"""

    loss: Any = None
    logits: Any = None
    logits_ngram: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    hidden_states_ngram: Any = None
    attentions: Any = None
    ngram_attentions: Any = None
    cross_attentions: Any = None


class ProphetNetSeq2SeqModelOutput(ModelOutput):
    """As ProphetNetDecoderModelOutput; encoder_attentions are scores before the softmax too."""

    last_hidden_state: Any = None
    last_hidden_state_ngram: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_ngram_hidden_states: Any = None
    decoder_attentions: Any = None
    decoder_ngram_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None


class ProphetNetSeq2SeqLMOutput(ModelOutput):
    """As ProphetNetDecoderLMOutput; encoder_attentions are scores before the softmax too."""

    loss: Any = None
    logits: Any = None
    logits_ngram: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_ngram_hidden_states: Any = None
    decoder_attentions: Any = None
    decoder_ngram_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None


class ProphetNetPreTrainedModel(PreTrainedModel):
    config_class = ProphetNetConfig
    base_model_prefix = "prophetnet"
    input_embeddings = "word_embeddings"

    shares_layers = True

    def initial_std(self, name: str) -> float:
        return self.config.init_std


class ProphetNetEncoder(ProphetNetPreTrainedModel):
    output_class = BaseModelOutput
    inputs = ("input_ids", "attention_mask", "head_mask", "inputs_embeds")

    def __init__(self, config: ProphetNetConfig):
        super().__init__(config)
        n = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, n, config.pad_token_id)
        self.position_embeddings = ProphetNetPositionalEmbeddings(config)
        self.embeddings_layer_norm = LayerNorm(n)
        self.layers = [ProphetNetEncoderLayer(config, i) for i in range(config.num_encoder_layers)]
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.word_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        x = x + self.position_embeddings(self.position_embeddings.of(x, state))
        x = self.dropout(self.embeddings_layer_norm(x))
        for layer in self.layers:
            x = layer(state.keep(x), state)
        return {"last_hidden_state": state.keep(x)}


class ProphetNetDecoder(ProphetNetPreTrainedModel):
    output_class = ProphetNetDecoderModelOutput
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

    def __init__(self, config: ProphetNetConfig):
        super().__init__(config)
        n = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, n, config.pad_token_id)
        self.position_embeddings = ProphetNetPositionalEmbeddings(config)
        self.ngram_embeddings = Embedding(config.ngram, n)
        self.layers = [ProphetNetDecoderLayer(config, i) for i in range(config.num_decoder_layers)]
        self.embeddings_layer_norm = LayerNorm(n)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.word_embeddings, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        state.sight = streams = Streams(self.config, x, attention_mask, state)
        state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        x = self.dropout(self.embeddings_layer_norm(self.with_streams(x, state)))
        for layer in self.layers:
            x = layer(self.keep(x, state), state)
        x = self.keep(x, state)
        hidden, attentions = (
            tuple(kept) if kept else None for kept in (streams.hidden_states, streams.attentions)
        )
        return {
            "last_hidden_state": x[:, : streams.seq],
            "last_hidden_state_ngram": x[:, streams.seq :],
            "hidden_states_ngram": hidden,
            "decoder_ngram_hidden_states": hidden,
            "ngram_attentions": attentions,
            "decoder_ngram_attentions": attentions,
        }

    def with_streams(self, x: Any, state: State) -> Any:
        """Embeddings of all streams: predicting ones know only their number and their position.

        x: (batch, seq, hidden) -> (batch, (1 + ngram) * seq, hidden)
        """
        positions, n = self.position_embeddings.of(x, state), self.config.ngram
        x = x + self.position_embeddings(positions)
        blank = np.zeros((*x.shape[:2], 1), np.float32)
        ahead = self.position_embeddings(positions + 1) + blank
        kinds = self.ngram_embeddings(np.arange(-1, n - 1) % n)  # the last row is the first's
        return ops.concatenate(x, *(ahead + kinds[s] for s in range(n)), axis=1)

    def keep(self, x: Any, state: State) -> Any:
        """Note hidden states of either kind. -> x"""
        streams: Streams = state.sight
        if streams.hidden_states is not None:
            state.keep(x[:, : streams.seq])
            streams.hidden_states.append(x[:, streams.seq :])
        return x


class ProphetNetModel(EncoderDecoder, ProphetNetPreTrainedModel):
    output_class = ProphetNetSeq2SeqModelOutput
    always_tied = {
        "encoder.word_embeddings.weight": "word_embeddings.weight",
        "decoder.word_embeddings.weight": "word_embeddings.weight",
    }

    def __init__(self, config: ProphetNetConfig):
        super().__init__(config)
        pad = config.pad_token_id
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size, pad)
        self.encoder, self.decoder = ProphetNetEncoder(config), ProphetNetDecoder(config)

    def encode(self, state: State, head_mask: Any = None, **inputs: Any) -> BaseModelOutput:
        state = state.beside(head_mask=head_mask)
        x = self.encoder.forward(state, **inputs)["last_hidden_state"]
        kept = (tuple(k) if k else None for k in (state.hidden_states, state.attentions))
        return BaseModelOutput(x, *kept)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        decoder_input_ids: Any = None,
        decoder_attention_mask: Any = None,
        head_mask: Any = None,
        decoder_head_mask: Any = None,
        encoder_outputs: Any = None,
        inputs_embeds: Any = None,
        decoder_inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        if encoder_outputs is None:
            encoded = self.encode(
                state, head_mask, input_ids=input_ids, attention_mask=attention_mask,
                inputs_embeds=inputs_embeds,
            )  # fmt: skip
        else:
            encoded = as_encoder_outputs(encoder_outputs)
        state.head_mask = decoder_head_mask
        values = self.decoder.forward(
            state,
            attention_mask=decoder_attention_mask,
            encoder_hidden_states=encoded.last_hidden_state,
            encoder_attention_mask=attention_mask,
            inputs_embeds=self.embed(
                self.word_embeddings, decoder_input_ids, decoder_inputs_embeds, part="decoder_"
            ),
        )
        return values | {
            "encoder_last_hidden_state": encoded.last_hidden_state,
            "encoder_hidden_states": encoded.hidden_states,
            "encoder_attentions": encoded.attentions,
        }


class NgramHead(Head):
    """Logits of the next token and of those after it: one Linear `lm_head` for all streams."""

    generates = True
    caches_with_targets = True

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.base_model.forward(state, **inputs)
        x, n = values.pop("last_hidden_state_ngram"), self.config.ngram
        streams = ops.reshape(x, shape=(x.shape[0], n, -1, x.shape[2]))
        streams = state.tail(ops.transpose(streams, axes=(0, 2, 1, 3)))
        logits = self.lm_head(streams)  # (batch, seq, ngram, vocab)
        others = ops.transpose(logits[:, :, 1:], axes=(0, 2, 1, 3)) if n > 1 else None
        return values | {"logits": logits[:, :, 0], "logits_ngram": others}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        """labels: (batch, seq), of every stream the same: each row tells what follows its position

        The mean over the streams; config.eps smooths it.
        """
        streams = [values["logits"]]
        if not self.config.disable_ngram_loss:
            streams += [values["logits_ngram"][:, s] for s in range(self.config.ngram - 1)]
        losses = [token_loss(logits, labels, smoothing=self.config.eps) for logits in streams]
        return {"loss": ops.mul(sum(losses[1:], start=losses[0]), 1.0 / len(losses))}


class ProphetNetForConditionalGeneration(
    NgramHead, ForConditionalGeneration, ProphetNetPreTrainedModel
):
    base_class = ProphetNetModel
    output_class = ProphetNetSeq2SeqLMOutput
    has_logits_bias = False
    tied = {"lm_head.weight": "prophetnet.word_embeddings.weight"}
    always_tied = {
        f"prophetnet.{name}": f"prophetnet.{table}"
        for name, table in ProphetNetModel.always_tied.items()
    }


class ProphetNetDecoderWrapper(ProphetNetPreTrainedModel):
    """The decoder alone, where a whole model's file has it."""

    input_embeddings = "decoder.word_embeddings"

    def __init__(self, config: ProphetNetConfig):
        super().__init__(config)
        pad = config.pad_token_id
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size, pad)
        self.decoder = ProphetNetDecoder(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return self.decoder.forward(state, **inputs)


class ProphetNetForCausalLM(NgramHead, ProphetNetPreTrainedModel):
    base_class = ProphetNetDecoderWrapper
    output_class = ProphetNetDecoderLMOutput
    inputs = ProphetNetDecoder.inputs
    input_embeddings = "decoder.word_embeddings"
    tied = {"lm_head.weight": "prophetnet.word_embeddings.weight"}
    always_tied = {"prophetnet.decoder.word_embeddings.weight": "prophetnet.word_embeddings.weight"}

    def __init__(self, config: ProphetNetConfig):
        config = copy.deepcopy(config)
        config.is_decoder, config.is_encoder_decoder = True, False
        super().__init__(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
