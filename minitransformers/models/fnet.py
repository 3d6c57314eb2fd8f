"""FNet (Lee-Thorp et al., 2021): Fourier transforms in the place of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .bert import (
    BertEmbeddings,
    BertForPreTrainingOutput,
    BertIntermediate,
    BertPooler,
    BertPreTrainingHeads,
    BertResidual,
)
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
    Head,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPooling, NextSentencePredictorOutput


class FNetConfig(PretrainedConfig):
    model_type = "fnet"
    vocab_size: int = 32000
    hidden_size: int = 768
    num_hidden_layers: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 4
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    use_tpu_fourier_optimizations: bool = False
    tpu_short_seq_length: int = 512
    pad_token_id: int | None = 3
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2


class FNetEmbeddings(BertEmbeddings):
    def __init__(self, config: FNetConfig):
        super().__init__(config)
        self.projection = Linear(config.hidden_size, config.hidden_size)
        self.dropout, self.last_dropout = Dropout(0.0), self.dropout

    def __call__(self, x: Any, token_type_ids: Any, positions: np.ndarray) -> Any:
        return self.last_dropout(self.projection(super().__call__(x, token_type_ids, positions)))


class FNetFourierOutput(Module):
    def __init__(self, config: FNetConfig):
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)


class FNetFourierTransform(Module):
    def __init__(self, config: FNetConfig):
        self.output = FNetFourierOutput(config)

    def __call__(self, x: Any) -> Any:
        return self.output.LayerNorm(x + ops.fourier(x))


class FNetLayer(Module):
    def __init__(self, config: FNetConfig):
        self.fourier = FNetFourierTransform(config)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)

    def __call__(self, x: Any) -> Any:
        x = self.fourier(x)
        return self.output(self.intermediate(x), x)


class FNetEncoder(Module):
    def __init__(self, config: FNetConfig):
        self.layer = [FNetLayer(config) for _ in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x))
        return state.keep(x)


class FNetPreTrainedModel(PreTrainedModel):
    config_class = FNetConfig
    base_model_prefix = "fnet"
    input_embeddings = "embeddings.word_embeddings"
    inputs = ("input_ids", "token_type_ids", "position_ids", "inputs_embeds")


class FNetModel(FNetPreTrainedModel):
    output_class = BaseModelOutputWithPooling

    def __init__(self, config: FNetConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = FNetEmbeddings(config)
        self.encoder = FNetEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        x = self.embeddings(x, token_type_ids, state.positions(x, position_ids))
        x = self.encoder(x, state)
        return {
            "last_hidden_state": x,
            "pooler_output": None if self.pooler is None else self.pooler(x),
        }


class FNetForMaskedLM(ForMaskedLM, FNetPreTrainedModel):
    base_class = FNetModel
    tied = {"cls.predictions.decoder.weight": "fnet.embeddings.word_embeddings.weight"}
    always_tied = {"cls.predictions.decoder.bias": "cls.predictions.bias"}

    def __init__(self, config: FNetConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, sentences=False)
        self.cls.predictions.decoder.makes_bias = True

    def predict(self, x: Any) -> Any:
        return self.cls.predictions(x)


class FNetForPreTraining(Head, FNetPreTrainedModel):
    base_class = FNetModel
    output_class = BertForPreTrainingOutput
    targets = ("labels", "next_sentence_label")
    tied, always_tied = FNetForMaskedLM.tied, FNetForMaskedLM.always_tied

    def __init__(self, config: FNetConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config)
        self.cls.predictions.decoder.makes_bias = True

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.fnet.forward(state, **inputs)
        return {
            "prediction_logits": self.cls.predictions(values["last_hidden_state"]),
            "seq_relationship_logits": self.cls.seq_relationship(values["pooler_output"]),
        }

    def loss(
        self, values: dict[str, Any], labels: Any = None, next_sentence_label: Any = None
    ) -> dict[str, Any]:
        if labels is None or next_sentence_label is None:
            return {}
        tokens = token_loss(values["prediction_logits"], labels)
        return {"loss": tokens + token_loss(values["seq_relationship_logits"], next_sentence_label)}


class FNetForNextSentencePrediction(Head, FNetPreTrainedModel):
    base_class = FNetModel
    output_class = NextSentencePredictorOutput

    def __init__(self, config: FNetConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, tokens=False)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        pooled = self.fnet.forward(state, **inputs)["pooler_output"]
        return {"logits": self.cls.seq_relationship(pooled)}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class FNetForSequenceClassification(ForSequenceClassification, FNetPreTrainedModel):
    base_class = FNetModel


class FNetForMultipleChoice(ForMultipleChoice, FNetPreTrainedModel):
    base_class = FNetModel


class FNetForTokenClassification(ForTokenClassification, FNetPreTrainedModel):
    base_class = FNetModel


class FNetForQuestionAnswering(ForQuestionAnswering, FNetPreTrainedModel):
    base_class = FNetModel
