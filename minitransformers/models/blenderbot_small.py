"""BlenderbotSmall (Roller et al., 2020): BART, but for how its decoder norms embeddings."""

from __future__ import annotations

from typing import Any

from ..core.state import State
from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartLikeConfig,
    BartModel,
    BartStack,
)
from .blenderbot import BlenderbotPositions


class BlenderbotSmallConfig(BartLikeConfig):
    model_type = "blenderbot-small"
    max_position_embeddings: int = 512
    encoder_layers: int = 8
    encoder_ffn_dim: int = 2048
    decoder_layers: int = 8
    decoder_ffn_dim: int = 2048
    d_model: int = 512
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    decoder_start_token_id: int | None = 1
    forced_eos_token_id: int | None = 2


class BlenderbotSmallStack(BartStack):
    positions = BlenderbotPositions

    def place(self, x: Any, state: State) -> Any:
        if self.decoder:  # the norm does not see the positions
            return self.layernorm_embedding(x) + self.embed_positions.at(x, state)
        return super().place(x, state)


class BlenderbotSmallModel(BartModel):
    config_class = BlenderbotSmallConfig
    shares_layers = True
    stack_class = BlenderbotSmallStack
    decodes_input = False


class BlenderbotSmallForConditionalGeneration(BartForConditionalGeneration):
    config_class = BlenderbotSmallConfig
    base_class = BlenderbotSmallModel


class BlenderbotSmallForCausalLM(BartForCausalLM):
    config_class = BlenderbotSmallConfig
    stack_class = BlenderbotSmallStack
