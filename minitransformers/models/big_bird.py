"""BigBird (Zaheer et al., 2020): BERT for long texts, with attention by blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.block_sparse import Blocks, drawn_blocks
from ..core.layers import Dropout, Linear
from ..core.masks import Mask
from ..core.module import Module
from ..core.state import State
from ..logging import warning_once
from .bert import (
    BertAttention,
    BertEmbeddings,
    BertEncoder,
    BertIntermediate,
    BertLayer,
    BertPreTrainingHeads,
    BertResidual,
    BertSelfAttention,
)
from .config import PretrainedConfig
from .decoding import Decoding
from .heads import (
    ClassificationHead,
    EncoderForCausalLM,
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
    Head,
    start_and_end,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPoolingAndCrossAttentions, ModelOutput


class BigBirdConfig(PretrainedConfig):
    """attention_type: "block_sparse" or "original_full"; block_size: tokens a block;
    num_random_blocks: how many blocks drawn at random each block sees besides, in training"""

    model_type = "big_bird"
    vocab_size: int = 50358
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 4096
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    sep_token_id: int | None = 66
    attention_type: str = "block_sparse"
    use_bias: bool = True
    rescale_embeddings: bool = False
    block_size: int = 64
    num_random_blocks: int = 3
    classifier_dropout: float | None = None


class BigBirdEmbeddings(BertEmbeddings):
    def __init__(self, config: BigBirdConfig):
        super().__init__(config)
        self.scale = math.sqrt(config.hidden_size) if config.rescale_embeddings else 1.0

    def __call__(self, x: Any, token_type_ids: Any, positions: np.ndarray) -> Any:
        types = np.zeros((1, 1), np.int64) if token_type_ids is None else token_type_ids
        x = x if self.scale == 1.0 else x * self.scale
        x = x + self.token_type_embeddings(types) + self.position_embeddings(positions)
        return self.LayerNorm(self.dropout(x))


class BigBirdSelfAttention(BertSelfAttention):
    relative = None

    def __init__(self, config: BigBirdConfig, layer: int, cross: bool = False):
        n = config.hidden_size
        self.query, self.key, self.value = (Linear(n, n, config.use_bias) for _ in range(3))
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads, self.cross = layer, config.num_attention_heads, cross
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)
        self.count, self.longest = config.num_random_blocks, config.max_position_embeddings

    def __call__(self, x: Any, state: State) -> Any:
        if state.sight is not None:
            return self.by_blocks(x, state)
        if self.cross or state.source is None:
            return super().__call__(x, state)
        return self.of_source(x, state)

    def of_source(self, x: Any, state: State) -> Any:
        """Beside a source, the reference's decoder looks there with its self-attention too."""
        if state.cache is not None:
            state.cache.append(self.layer, *self.project(x))  # it still counts the positions
        rate, mask = self.dropout.rate, state.source_mask
        q = ops.split_heads(self.query(x), heads=self.heads)
        k, v = self.project(state.source)
        out = state.mix(self.layer, q, k, v, self.scale, rate, mask, keep=state.attentions)
        return ops.merge_heads(out)

    def by_blocks(self, x: Any, state: State) -> Any:
        """Without dropout or a mask of heads, which the reference's has not either."""
        sight: Blocks = state.sight
        parts = self.query(x), self.key(x), self.value(x)
        drawn = None
        if self.training and self.count:
            drawn = drawn_blocks(
                self.layer, self.heads, sight.count, sight.size, self.count, self.longest
            )
        return sight.attend(*parts, self.heads, self.scale, drawn, state.attentions)


class BigBirdAttention(BertAttention):
    def __init__(self, config: BigBirdConfig, layer: int, cross: bool = False):
        self.self = BigBirdSelfAttention(config, layer, cross)
        self.output = BertResidual(config, config.hidden_size)


class BigBirdLayer(BertLayer):
    def __init__(self, config: BigBirdConfig, layer: int):
        self.attention = BigBirdAttention(config, layer)
        if config.add_cross_attention:
            self.crossattention = BigBirdAttention(config, layer, cross=True)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)


class BigBirdEncoder(BertEncoder):
    def __init__(self, config: BigBirdConfig):
        self.layer = [BigBirdLayer(config, i) for i in range(config.num_hidden_layers)]


ATTENTION_TYPES = ("block_sparse", "original_full")


class BigBirdPreTrainedModel(PreTrainedModel):
    config_class = BigBirdConfig
    base_model_prefix = "bert"
    input_embeddings = "embeddings.word_embeddings"
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )

    def _caches(self) -> bool:
        return self.config.is_decoder


class AttendsByBlocks(Module):
    """An encoder that attends by blocks or to every token, as its `attention_type` says.

    An input too short for blocks, of at most (5 + 2 * num_random_blocks) * block_size tokens, turns
    it to full attention for good, as it does the reference's; `set_attention_type` turns it back.
    """

    config: Any
    attention_type: str

    def set_attention_type(self, value: str) -> None:
        """Attend by blocks ("block_sparse") or to every token ("original_full") from now on.

        Raises ValueError for another type.
        """
        if value not in ATTENTION_TYPES:
            raise ValueError(f"attention_type {value!r} is none of {', '.join(ATTENTION_TYPES)}")
        self.attention_type = value

    def by_blocks(self, seq: int) -> bool:
        """Whether to attend by blocks. Turns to full attention if the input is too short."""
        config = self.config
        least = (5 + 2 * config.num_random_blocks) * config.block_size
        if self.attention_type == "block_sparse" and seq <= least:
            warning_once(
                f"Attention type 'block_sparse' is not possible for {seq} tokens: with block_size "
                f"{config.block_size} and num_random_blocks {config.num_random_blocks} it takes "
                f"more than {least}. Changing attention type to 'original_full'..."
            )
            self.set_attention_type("original_full")
        return self.attention_type == "block_sparse"

    def look_by_blocks(self, state: State, x: Any, seq: int, attention_mask: Any) -> None:
        """Let each block of x see some others. seq: how many positions are not filled up"""
        shown = np.arange(x.shape[1]) < seq
        mask = Mask.of(attention_mask, seq, seq)
        if mask.allowed is not None:
            raise ValueError(
                f"attention_mask has shape {mask.allowed.shape}, but attention by blocks takes "
                f'(batch, {seq}) only: see set_attention_type("original_full")'
            )
        shown = np.broadcast_to(shown, x.shape[:2]).copy()
        if mask.padding is not None:
            shown[:, :seq] = mask.padding
        copies = 1 if self.training else 1 + self.config.num_random_blocks
        state.sight = Blocks(shown, self.config.block_size, copies)
        state.cache = None  # each block sees some that come after it


class BigBirdModel(AttendsByBlocks, BigBirdPreTrainedModel):
    """Where it attends by blocks, hidden_states and attentions are those of whole blocks."""

    output_class = BaseModelOutputWithPoolingAndCrossAttentions
    inputs = (*BigBirdPreTrainedModel.inputs, "encoder_hidden_states", "encoder_attention_mask")

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        crosses, n = config.add_cross_attention, config.hidden_size
        if crosses and not config.is_decoder:
            raise TypeError("add_cross_attention is for decoders: set is_decoder=True as well")
        self.embeddings = BigBirdEmbeddings(config)
        self.encoder = BigBirdEncoder(config)
        self.pooler = Linear(n, n) if add_pooling_layer else None
        self.set_attention_type(config.attention_type)
        if crosses:
            self.set_attention_type("original_full")

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
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        if encoder_hidden_states is not None and not self.config.add_cross_attention:
            raise ValueError("encoder_hidden_states are for add_cross_attention=True")
        seq = x.shape[1]
        if self.by_blocks(seq) and not state.past:
            x, token_type_ids, position_ids = self.fill_up(
                x, token_type_ids, position_ids, inputs_embeds is not None
            )
            self.look_by_blocks(state, x, seq, attention_mask)
        else:
            look = state.look_back if self.config.is_decoder else state.look_around
            look(x, attention_mask)
            state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        x = self.embeddings(x, token_type_ids, state.positions(x, position_ids))
        x = self.encoder(x, state)
        pooled = None if self.pooler is None else ops.tanh(self.pooler(x[:, 0]))
        return {"last_hidden_state": x[:, :seq], "pooler_output": pooled}

    def fill_up(self, x: Any, token_type_ids: Any, position_ids: Any, embedded: bool) -> tuple:
        """Append padding up to a whole block.

        x: (batch, seq, hidden), `embedded` by the caller or here
        -> x, token_type_ids and position_ids, of the new length unless None
        """
        missing = -x.shape[1] % self.config.block_size
        if not missing:
            return x, token_type_ids, position_ids
        pad = self.config.pad_token_id or 0
        padding = self.embeddings.word_embeddings(np.full((x.shape[0], missing), pad))
        if embedded:  # the reference sends these through the embeddings twice
            padding = self.embeddings(padding, None, np.arange(missing)[None])
        right = ((0, 0), (0, missing))
        if token_type_ids is not None:
            token_type_ids = np.pad(token_type_ids, right)
        if position_ids is not None:
            position_ids = np.pad(np.atleast_2d(position_ids), right, constant_values=pad)
        return ops.concatenate(x, padding, axis=1), token_type_ids, position_ids


class BigBirdForPreTrainingOutput(ModelOutput):
    """prediction_logits: (batch, seq, vocab); seq_relationship_logits: (batch, 2)"""

    loss: Any = None
    prediction_logits: Any = None
    seq_relationship_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


TIED = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight"}
ALWAYS_TIED = {"cls.predictions.decoder.bias": "cls.predictions.bias"}


class BigBirdForPreTraining(Head, BigBirdPreTrainedModel):
    base_class = BigBirdModel
    output_class = BigBirdForPreTrainingOutput
    targets = ("labels", "next_sentence_label")
    tied, always_tied = TIED, ALWAYS_TIED

    def __init__(self, config: BigBirdConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.bert.forward(state, **inputs)
        return {
            "prediction_logits": self.cls.predictions(values["last_hidden_state"]),
            "seq_relationship_logits": self.cls.seq_relationship(values["pooler_output"]),
        }

    def loss(
        self, values: dict[str, Any], labels: Any = None, next_sentence_label: Any = None
    ) -> dict[str, Any]:
        if labels is None:
            return {}
        loss = token_loss(values["prediction_logits"], labels)
        if next_sentence_label is not None:
            loss = loss + token_loss(values["seq_relationship_logits"], next_sentence_label)
        return {"loss": loss}


class BigBirdForMaskedLM(ForMaskedLM, BigBirdPreTrainedModel):
    base_class = BigBirdModel
    inputs = BigBirdModel.inputs
    tied, always_tied = TIED, ALWAYS_TIED

    def __init__(self, config: BigBirdConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, sentences=False)

    def predict(self, x: Any) -> Any:
        return self.cls.predictions(x)


class BigBirdForCausalLM(EncoderForCausalLM, BigBirdForMaskedLM):
    caches_with_targets = True

    def start(self, inputs: dict[str, Any], prompt: np.ndarray, **how: Any) -> Decoding:
        if self.config.is_decoder:  # which must not look ahead, as attention by blocks does
            self.bert.set_attention_type("original_full")
        return super().start(inputs, prompt, **how)


class BigBirdForSequenceClassification(FirstTokenForSequenceClassification, BigBirdPreTrainedModel):
    base_class = BigBirdModel

    def __init__(self, config: BigBirdConfig):
        super().__init__(config)
        self.classifier = ClassificationHead(config, config.hidden_act)


class BigBirdForMultipleChoice(ForMultipleChoice, BigBirdPreTrainedModel):
    base_class = BigBirdModel

    def __init__(self, config: BigBirdConfig):
        super().__init__(config)
        self.dropout = Dropout(config.hidden_dropout_prob)


class BigBirdForTokenClassification(ForTokenClassification, BigBirdPreTrainedModel):
    base_class = BigBirdModel


class BigBirdForQuestionAnsweringModelOutput(ModelOutput):
    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    attentions: Any = None


class BigBirdForQuestionAnsweringHead(Module):
    """A feed-forward block and a Linear."""

    def __init__(self, config: BigBirdConfig):
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)
        self.qa_outputs = Linear(config.hidden_size, 2)

    def __call__(self, x: Any) -> Any:
        return self.qa_outputs(self.output(self.intermediate(self.dropout(x)), x))


class BigBirdForQuestionAnswering(BigBirdPreTrainedModel):
    """The question, up to the first separator, is no answer, except its first token.

    question_lengths: (batch, 1) tokens up to and with that separator, counted if left out
    """

    output_class = BigBirdForQuestionAnsweringModelOutput
    targets = ForQuestionAnswering.targets
    inputs = (
        "input_ids",
        "attention_mask",
        "question_lengths",
        *BigBirdPreTrainedModel.inputs[2:],
    )
    loss = ForQuestionAnswering.loss

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = False):
        config.num_labels = 2
        super().__init__(config)
        self.bert = BigBirdModel(config, add_pooling_layer)
        self.qa_classifier = BigBirdForQuestionAnsweringHead(config)

    def forward(
        self, state: State, question_lengths: Any = None, token_type_ids: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        ids, question = inputs.get("input_ids"), None
        given = inputs.get("inputs_embeds") if ids is None else ids
        if question_lengths is None and ids is not None:
            question_lengths = (ids == self.config.sep_token_id).argmax(-1) + 1
        if question_lengths is not None and given is not None:
            places = np.arange(given.shape[1])
            question = places < np.reshape(question_lengths, (-1, 1))
            if token_type_ids is None:
                token_type_ids = 1 - question
        values = self.bert.forward(state, token_type_ids=token_type_ids, **inputs)
        logits = self.qa_classifier(values["last_hidden_state"])
        if question is not None:
            logits = logits - (question & (places > 0))[:, :, None] * np.float32(1e6)
        return start_and_end(logits) | {"pooler_output": values["pooler_output"]}
