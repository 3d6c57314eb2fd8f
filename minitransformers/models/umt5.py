"""UUMT5 (Chung et al., 2023): mT5 with position biases in every layer."""

from __future__ import annotations

from .t5 import (
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5ForQuestionAnswering,
    T5ForSequenceClassification,
    T5ForTokenClassification,
    T5Model,
)


class UMT5Config(T5Config):
    model_type = "umt5"
    biased_in_every_layer = True
    vocab_size: int = 250112
    d_ff: int = 1024
    num_layers: int = 8
    num_heads: int = 6
    feed_forward_proj: str = "gated-gelu"
    tokenizer_class: str | None = "T5Tokenizer"
    decoder_start_token_id: int | None = 0


class UMT5Model(T5Model):
    config_class = UMT5Config


class UMT5ForConditionalGeneration(T5ForConditionalGeneration):
    config_class = UMT5Config


class UMT5EncoderModel(T5EncoderModel):
    config_class = UMT5Config
    leaves_out = ()  # the reference tells of a decoder here, and not of T5's


class UMT5ForSequenceClassification(T5ForSequenceClassification):
    config_class = UMT5Config


class UMT5ForTokenClassification(T5ForTokenClassification):
    config_class = UMT5Config


class UMT5ForQuestionAnswering(T5ForQuestionAnswering):
    config_class = UMT5Config
