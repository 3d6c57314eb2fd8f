"""Pegasus (Zhang et al., 2019), a summariser: BART with fixed positions and norms before the parts
of a layer."""

from __future__ import annotations

from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartLikeConfig,
    BartModel,
    BartStack,
)
from .marian import SinusoidalPositions


class PegasusConfig(BartLikeConfig):
    model_type = "pegasus"
    pad_token_id: int | None = 0
    eos_token_id: int | list | None = 1
    decoder_start_token_id: int | None = 0
    forced_eos_token_id: int | None = 1


class PegasusStack(BartStack):
    pre_norm = True
    norms_embeddings = False
    positions = SinusoidalPositions


class PegasusModel(BartModel):
    config_class = PegasusConfig
    stack_class = PegasusStack
    decodes_input = False
    ignore = ("embed_positions.weight",)  # what is computed here


class PegasusForConditionalGeneration(BartForConditionalGeneration):
    config_class = PegasusConfig
    base_class = PegasusModel
    ignore = PegasusModel.ignore


class PegasusForCausalLM(BartForCausalLM):
    config_class = PegasusConfig
    stack_class = PegasusStack
    ignore = PegasusModel.ignore
