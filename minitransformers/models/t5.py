"""T5 (Raffel et al., 2019), T5 v1.1 and FLAN-T5. Attribute paths are the checkpoint's names."""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, Linear, RMSNorm
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    ForTokenClassification,
    span_loss,
    start_and_end,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutput,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
    Seq2SeqQuestionAnsweringModelOutput,
)
from .seq2seq import EncoderDecoder, Seq2SeqForSequenceClassification


class T5Config(PretrainedConfig):
    """biased_in_every_layer: whether layers after the first have position biases of their own"""

    model_type = "t5"
    biased_in_every_layer: ClassVar[bool] = False
    attribute_map = {
        "hidden_size": "d_model",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "num_layers",
        "head_dim": "d_kv",
    }
    vocab_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    num_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    classifier_dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    initializer_factor: float = 1.0
    feed_forward_proj: str = "relu"
    dense_act_fn: str = ""
    is_gated_act: bool = False
    use_cache: bool = True
    is_encoder_decoder: bool = True
    pad_token_id: int | None = 0
    eos_token_id: int | None = 1

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if self.num_decoder_layers is None:
            self.num_decoder_layers = self.num_layers
        gated, _, act = self.feed_forward_proj.rpartition("-")
        if gated not in ("", "gated"):
            raise ValueError(
                f"feed_forward_proj {self.feed_forward_proj!r} should be an activation's name or "
                "'gated-' and an activation's name, such as 'relu' or 'gated-gelu'"
            )
        self.is_gated_act = gated == "gated"
        # "gated-gelu" has always meant the tanh approximation
        self.dense_act_fn = "gelu_new" if self.feed_forward_proj == "gated-gelu" else act


class T5DenseReluDense(Module):
    def __init__(self, config: T5Config):
        if config.is_gated_act:
            self.wi_0 = Linear(config.d_model, config.d_ff, bias=False)
            self.wi_1 = Linear(config.d_model, config.d_ff, bias=False)
        else:
            self.wi = Linear(config.d_model, config.d_ff, bias=False)
        self.wo = Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = Dropout(config.dropout_rate)
        self.act, self.gated = ops.activation(config.dense_act_fn), config.is_gated_act

    def __call__(self, x: Any) -> Any:
        if self.gated:
            y = ops.activate(self.act, self.wi_0(x), times=self.wi_1(x))
        else:
            y = ops.activate(self.act, self.wi(x))
        return self.wo(self.dropout(y))


class T5LayerFF(Module):
    def __init__(self, config: T5Config):
        self.DenseReluDense = T5DenseReluDense(config)
        self.layer_norm = RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = Dropout(config.dropout_rate)

    def __call__(self, x: Any, state: State) -> Any:
        return x + self.dropout(self.DenseReluDense(self.layer_norm(x)))


class T5Attention(Module):
    def __init__(self, config: T5Config, layer: int, biased: bool, cross: bool):
        inner = config.num_heads * config.d_kv
        self.q = Linear(config.d_model, inner, bias=False)
        self.k = Linear(config.d_model, inner, bias=False)
        self.v = Linear(config.d_model, inner, bias=False)
        self.o = Linear(inner, config.d_model, bias=False)
        if biased:
            self.relative_attention_bias = Embedding(
                config.relative_attention_num_buckets, config.num_heads
            )
        self.dropout = Dropout(config.dropout_rate)
        self.layer, self.heads, self.cross = layer, config.num_heads, cross

    def project(self, x: Any) -> tuple:
        """(batch, seq, hidden) -> keys and values, (batch, heads, seq, head_dim)"""
        k, v = self.k(x), self.v(x)
        return ops.split_heads(k, heads=self.heads), ops.split_heads(v, heads=self.heads)

    def __call__(self, x: Any, state: State) -> Any:
        q, drop = ops.split_heads(self.q(x), heads=self.heads), self.dropout.rate
        if self.cross:
            out = state.attend_source(self.layer, q, self.project, 1.0, drop)
        else:
            k, v = self.project(x)
            out = state.attend(self.layer, q, k, v, 1.0, drop)
        return self.o(ops.merge_heads(out))


class T5LayerSelfAttention(Module):
    def __init__(self, config: T5Config, layer: int):
        biased = layer == 0 or config.biased_in_every_layer
        self.SelfAttention = T5Attention(config, layer, biased, cross=False)
        self.layer_norm = RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = Dropout(config.dropout_rate)

    def __call__(self, x: Any, state: State) -> Any:
        return x + self.dropout(self.SelfAttention(self.layer_norm(x), state))


class T5LayerCrossAttention(Module):
    def __init__(self, config: T5Config, layer: int):
        self.EncDecAttention = T5Attention(config, layer, biased=False, cross=True)
        self.layer_norm = RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = Dropout(config.dropout_rate)

    def __call__(self, x: Any, state: State) -> Any:
        return x + self.dropout(self.EncDecAttention(self.layer_norm(x), state))


class T5Block(Module):
    def __init__(self, config: T5Config, layer: int, decoder: bool):
        self.layer = [T5LayerSelfAttention(config, layer), T5LayerFF(config)]
        if decoder:
            self.layer.insert(1, T5LayerCrossAttention(config, layer))

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(x, state)
        return x


@functools.lru_cache(maxsize=16)
def position_buckets(
    seq: int, total: int, buckets: int, max_distance: int, bidirectional: bool
) -> np.ndarray:
    """Which bucket the distance of each query and key falls into: exact nearby, logarithmic
    beyond (Raffel et al., 2019, section 2.1). The queries are the last `seq` of `total` positions.

    -> (seq, total) integers in [0, buckets)
    """
    relative = np.arange(total)[None, :] - np.arange(total - seq, total)[:, None]
    first = np.zeros_like(relative)
    if bidirectional:
        buckets //= 2
        first = (relative > 0) * buckets
        distance = np.abs(relative)
    else:
        distance = np.maximum(-relative, 0)
    exact = buckets // 2
    far = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact))
    far = far / np.float32(math.log(max_distance / exact)) * np.float32(buckets - exact)
    far = np.minimum(exact + far.astype(np.int64), buckets - 1)
    return first + np.where(distance < exact, distance, far)


class T5Stack(Module):
    """Encoder or decoder."""

    drawn_at_once = True

    def __init__(self, config: T5Config, decoder: bool):
        layers = config.num_decoder_layers if decoder else config.num_layers
        assert layers is not None
        self.embed_tokens = Embedding(config.vocab_size, config.d_model)
        self.block = [T5Block(config, i, decoder) for i in range(layers)]
        self.final_layer_norm = RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.dropout = Dropout(config.dropout_rate)
        self.buckets = config.relative_attention_num_buckets
        self.max_distance = config.relative_attention_max_distance
        self.decoder, self.biased_in_every_layer = decoder, config.biased_in_every_layer

    def __call__(self, x: Any, state: State) -> Any:
        """x: (batch, seq, hidden) embeddings -> (batch, seq, hidden)"""
        seq, total = x.shape[1], state.past + x.shape[1]
        x = self.dropout(x)
        for i, block in enumerate(self.block):
            if i == 0 or self.biased_in_every_layer:
                table = block.layer[0].SelfAttention.relative_attention_bias
                state.bias = self.position_bias(table, seq, total)
            x = block(state.keep(x), state)
        return state.keep(self.dropout(self.final_layer_norm(x)))

    def position_bias(self, table: Embedding, seq: int, total: int) -> Any:
        """-> (1, heads, seq, total), added to the scores"""
        buckets = position_buckets(seq, total, self.buckets, self.max_distance, not self.decoder)
        bias = ops.transpose(table(buckets), axes=(2, 0, 1))
        return ops.reshape(bias, shape=(1, *bias.shape))


class T5PreTrainedModel(PreTrainedModel):
    config_class = T5Config
    base_model_prefix = "transformer"
    input_embeddings = "shared"
    always_tied = {
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }
    shares_layers = True
    drawn_last = ("shared", "lm_head", "qa_outputs")
    never_quantised = ("wo",)  # the reference keeps it in float32
    draws_new_rows = False
    # written by mistake into the first files
    ignore = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)

    def initial_std(self, name: str) -> float:
        config, factor = self.config, self.config.initializer_factor
        layer = name.removesuffix(".weight").rpartition(".")[2]
        if layer in ("shared", "embed_tokens", "lm_head", "classifier"):
            return factor
        if layer == "q":
            return factor * (config.d_model * config.d_kv) ** -0.5
        if layer in ("o", "wo"):
            fan = config.num_heads * config.d_kv if layer == "o" else config.d_ff
            return factor * fan**-0.5
        return factor * config.d_model**-0.5


class T5EncoderModel(T5PreTrainedModel):
    output_class = BaseModelOutput
    leaves_out = ("decoder.",)
    inputs = ("input_ids", "attention_mask", "head_mask", "inputs_embeds")

    def __init__(self, config: T5Config):
        super().__init__(config)
        self.shared = Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config, decoder=False)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.shared, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        return {"last_hidden_state": self.encoder(x, state)}


class T5Model(EncoderDecoder, T5PreTrainedModel):
    output_class = Seq2SeqModelOutput

    def __init__(self, config: T5Config):
        super().__init__(config)
        self.shared = Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config, decoder=False)
        self.decoder = T5Stack(config, decoder=True)

    def input_table(self) -> Embedding:
        return self.shared

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        # a single head_mask is meant for both stacks
        inputs["decoder_head_mask"] = inputs.get("decoder_head_mask", inputs.get("head_mask"))
        return super().forward(state, **inputs)


class T5ForConditionalGeneration(T5Model):
    output_class = Seq2SeqLMOutput
    targets = ("labels",)
    tied = {"lm_head.weight": "shared.weight"}
    generates = True

    def __init__(self, config: T5Config):
        super().__init__(config)
        self.lm_head = Linear(config.d_model, config.vocab_size, bias=False)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        if "labels" in targets and not inputs.keys() & {
            "decoder_input_ids",
            "decoder_inputs_embeds",
        }:
            inputs["decoder_input_ids"] = self.shifted(targets["labels"])
        return inputs

    def prepare_decoder_input_ids_from_labels(self, labels: np.ndarray) -> np.ndarray:
        """The reference's name of what a collator asks for. (batch, seq) -> (batch, seq)"""
        return self.shifted(np.asarray(labels))

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = super().forward(state, **inputs)
        x = state.tail(values.pop("last_hidden_state"))
        if self.config.tie_word_embeddings:  # embeddings are larger than a head's weights
            x = x * self.config.d_model**-0.5
        return {"logits": self.lm_head(x), **values}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class T5ForQuestionAnswering(T5Model):
    output_class = Seq2SeqQuestionAnsweringModelOutput
    targets = ("start_positions", "end_positions")
    caches_with_targets = False

    def __init__(self, config: T5Config):
        super().__init__(config)
        self.qa_outputs = Linear(config.d_model, config.num_labels)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        return self.decode_the_input(inputs)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = super().forward(state, **inputs)
        logits = self.qa_outputs(values.pop("last_hidden_state"))
        return start_and_end(logits) | values

    def loss(
        self, values: dict[str, Any], start_positions: Any = None, end_positions: Any = None
    ) -> dict[str, Any]:
        if start_positions is None or end_positions is None:
            return {}
        ends = values["start_logits"], values["end_logits"]
        return {"loss": span_loss(*ends, start_positions, end_positions)}


class T5ForSequenceClassification(Seq2SeqForSequenceClassification, T5PreTrainedModel):
    base_class = T5Model
    always_tied = {f"transformer.{n}": "transformer.shared.weight" for n in T5Model.always_tied}


class T5ForTokenClassification(ForTokenClassification, T5PreTrainedModel):
    base_class = T5EncoderModel
    inputs = T5EncoderModel.inputs
    always_tied = {"transformer.encoder.embed_tokens.weight": "transformer.shared.weight"}
