"""Pegasus (Zhang et al., 2019), a summariser: BART with fixed positions and norms before the parts
of a layer."""

from __future__ import annotations

from typing import Any

from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartLikeConfig,
    BartModel,
    BartStack,
)
from .marian import SinusoidalPositions
from .modeling import PreTrainedModel


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


class ComputedPositions(PreTrainedModel):
    """Positions are computed: resizing them changes how many are ready."""

    def get_position_embeddings(self) -> Any:
        """The positions of the stacks: (encoder's, decoder's), or the only one's."""
        stacks = [m.embed_positions for m in self.modules() if isinstance(m, BartStack)]
        return tuple(stacks) if len(stacks) > 1 else stacks[0]

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Have positions of longer texts ready."""
        for module in self.modules():
            if isinstance(module, BartStack):
                module.embed_positions.length = new_num_position_embeddings
        self.config.max_position_embeddings = new_num_position_embeddings


class PegasusModel(ComputedPositions, BartModel):
    config_class = PegasusConfig
    shares_layers = True
    stack_class = PegasusStack
    decodes_input = False
    ignore = ("embed_positions.weight",)  # what is computed here


class PegasusForConditionalGeneration(ComputedPositions, BartForConditionalGeneration):
    config_class = PegasusConfig
    base_class = PegasusModel
    ignore = PegasusModel.ignore


class PegasusForCausalLM(ComputedPositions, BartForCausalLM):
    config_class = PegasusConfig
    stack_class = PegasusStack
    ignore = PegasusModel.ignore
