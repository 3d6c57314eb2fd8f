"""CamemBERT (Martin et al., 2019): RoBERTa in French."""

from __future__ import annotations

from .roberta import (
    RobertaConfig,
    RobertaForCausalLM,
    RobertaForMaskedLM,
    RobertaForMultipleChoice,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
)


class CamembertConfig(RobertaConfig):
    model_type = "camembert"
    vocab_size: int = 30522


class CamembertModel(RobertaModel):
    config_class = CamembertConfig


class CamembertForCausalLM(RobertaForCausalLM):
    config_class = CamembertConfig


class CamembertForMaskedLM(RobertaForMaskedLM):
    config_class = CamembertConfig


class CamembertForMultipleChoice(RobertaForMultipleChoice):
    config_class = CamembertConfig


class CamembertForQuestionAnswering(RobertaForQuestionAnswering):
    config_class = CamembertConfig


class CamembertForSequenceClassification(RobertaForSequenceClassification):
    config_class = CamembertConfig


class CamembertForTokenClassification(RobertaForTokenClassification):
    config_class = CamembertConfig
