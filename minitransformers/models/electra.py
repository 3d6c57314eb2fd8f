"""ELECTRA (Clark et al., 2020): BERT behind smaller embeddings, and a discriminator as a head."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .bert import BERT_HEADS, BertEmbeddings, BertEncoder
from .config import PretrainedConfig
from .heads import (
    EncoderForCausalLM,
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
    Head,
    SequenceSummary,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPastAndCrossAttentions, ModelOutput


class ElectraConfig(PretrainedConfig):
    model_type = "electra"
    vocab_size: int = 30522
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 12
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    summary_type: str = "first"
    summary_use_proj: bool = True
    summary_activation: str | None = "gelu"
    summary_last_dropout: float = 0.1
    pad_token_id: int | None = 0
    position_embedding_type: str = "absolute"
    use_cache: bool = True
    classifier_dropout: float | None = None


class ElectraPreTrainedModel(PreTrainedModel):
    config_class = ElectraConfig
    base_model_prefix = "electra"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = BERT_HEADS
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


class ElectraModel(ElectraPreTrainedModel):
    output_class = BaseModelOutputWithPastAndCrossAttentions
    inputs = (*ElectraPreTrainedModel.inputs, "encoder_hidden_states", "encoder_attention_mask")

    def __init__(self, config: ElectraConfig):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config, config.embedding_size)
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = Linear(config.embedding_size, config.hidden_size)
        self.encoder = BertEncoder(config)

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
        look = state.look_back if self.config.is_decoder else state.look_around
        look(x, attention_mask)
        state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        x = self.embeddings(x, token_type_ids, state.positions(x, position_ids))
        if self.config.embedding_size != self.config.hidden_size:
            x = self.embeddings_project(x)
        return {"last_hidden_state": self.encoder(x, state)}


class ElectraDiscriminatorPredictions(Module):
    def __init__(self, config: ElectraConfig):
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.dense_prediction = Linear(config.hidden_size, 1)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, seq)"""
        return self.dense_prediction(ops.activate(self.act, self.dense(x)))[:, :, 0]


class ElectraForPreTrainingOutput(ModelOutput):
    """logits: (batch, seq), positive where a token is not the original one"""

    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class ElectraForPreTraining(Head, ElectraPreTrainedModel):
    """The discriminator: which tokens a generator has replaced."""

    base_class = ElectraModel
    output_class = ElectraForPreTrainingOutput

    def __init__(self, config: ElectraConfig):
        super().__init__(config)
        self.discriminator_predictions = ElectraDiscriminatorPredictions(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        logits = self.discriminator_predictions(self.hidden(state, **inputs))
        return {"logits": logits, "counted": inputs.get("attention_mask")}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        logits, counted = values["logits"], values["counted"]
        if counted is not None:
            where = np.nonzero(counted == 1)
            logits, labels = logits[where], labels[where]
        return {"loss": ops.bce_with_logits(logits, target=labels.astype(np.float32))}


class ElectraGeneratorPredictions(Module):
    def __init__(self, config: ElectraConfig):
        self.LayerNorm = LayerNorm(config.embedding_size, config.layer_norm_eps)
        self.dense = Linear(config.hidden_size, config.embedding_size)

    def __call__(self, x: Any) -> Any:
        return self.LayerNorm(ops.gelu(self.dense(x)))


class ElectraTokenHead(ElectraPreTrainedModel):
    """ELECTRA's generator, whose last matrix is the word embeddings."""

    base_class = ElectraModel
    tied = {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"}

    def __init__(self, config: ElectraConfig):
        super().__init__(config)
        self.generator_predictions = ElectraGeneratorPredictions(config)
        self.generator_lm_head = Linear(config.embedding_size, config.vocab_size)

    def predict(self, x: Any) -> Any:
        return self.generator_lm_head(self.generator_predictions(x))


class ElectraForMaskedLM(ElectraTokenHead, ForMaskedLM):
    pass


class ElectraForCausalLM(ElectraTokenHead, EncoderForCausalLM):
    inputs = ElectraModel.inputs


class ElectraForSequenceClassification(FirstTokenForSequenceClassification, ElectraPreTrainedModel):
    base_class = ElectraModel
    classifier_act = "gelu"


class ElectraForMultipleChoice(ForMultipleChoice, ElectraPreTrainedModel):
    base_class = ElectraModel

    def __init__(self, config: ElectraConfig):
        super().__init__(config)
        self.dropout = Dropout(0.0)  # the summary has its own

    def add_pooler(self, config: ElectraConfig) -> None:
        self.sequence_summary = SequenceSummary(config, classes=config.hidden_size)

    def pool(self, state: State, **inputs: Any) -> Any:
        return self.sequence_summary(self.hidden(state, **inputs))


class ElectraForTokenClassification(ForTokenClassification, ElectraPreTrainedModel):
    base_class = ElectraModel


class ElectraForQuestionAnswering(ForQuestionAnswering, ElectraPreTrainedModel):
    base_class = ElectraModel
