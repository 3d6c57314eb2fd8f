"""BigBird-Pegasus, a summariser of long texts: Pegasus with BigBird's attention in the encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.module import Module
from ..core.state import State
from .bart import (
    BartForCausalLM,
    BartForConditionalGeneration,
    BartForQuestionAnswering,
    BartForSequenceClassification,
    BartLayer,
    BartLikeConfig,
    BartModel,
    BartStack,
    LearnedPositions,
)
from .big_bird import AttendsByBlocks, BigBirdSelfAttention
from .outputs import BaseModelOutput


class BigBirdPegasusConfig(BartLikeConfig):
    """attention_type, block_size, num_random_blocks: the encoder's, as BigBird's"""

    model_type = "bigbird_pegasus"
    attribute_map = BartLikeConfig.attribute_map | {
        "attention_probs_dropout_prob": "attention_dropout"
    }
    vocab_size: int = 96103
    max_position_embeddings: int = 4096
    encoder_layers: int = 16
    decoder_layers: int = 16
    activation_function: str = "gelu_new"
    classifier_dropout: float = 0.0
    scale_embedding: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | list | None = 1
    decoder_start_token_id: int | None = 2
    attention_type: str = "block_sparse"
    block_size: int = 64
    num_random_blocks: int = 3
    use_bias: bool = False


class BigBirdPegasusPositions(LearnedPositions):
    offset = 0


class BigBirdPegasusEncoderAttention(Module):
    def __init__(self, config: BigBirdPegasusConfig, layer: int):
        self.self = BigBirdSelfAttention(config, layer)
        self.output = Linear(config.d_model, config.d_model, config.use_bias)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.self(x, state))


class BigBirdPegasusEncoderLayer(BartLayer):
    def __init__(self, config: BigBirdPegasusConfig, layer: int):
        super().__init__(config, layer, decoder=False, pre_norm=True)
        self.activation_dropout = Dropout(0.0)

    def attention(self, config: BigBirdPegasusConfig, layer: int, heads: int) -> Module:
        return BigBirdPegasusEncoderAttention(config, layer)


class BigBirdPegasusStack(AttendsByBlocks, BartStack):
    pre_norm, last_norm = True, "layernorm_embedding"  # whatever the name says
    norms_embeddings = False
    positions = BigBirdPegasusPositions

    def __init__(self, config: BigBirdPegasusConfig, decoder: bool):
        super().__init__(config, decoder)
        self.config = config
        self.set_attention_type(config.attention_type)

    def make_layer(self, config: BigBirdPegasusConfig, layer: int, decoder: bool) -> Module:
        if decoder:
            return BartLayer(config, layer, decoder, self.pre_norm)
        return BigBirdPegasusEncoderLayer(config, layer)

    def read(self, x: Any, state: State, attention_mask: Any) -> Any:
        """Encode embeddings. x: (batch, seq, hidden) -> (batch, seq, hidden)"""
        seq = x.shape[1]
        x = self.dropout(self.place(x, state))
        if self.by_blocks(seq):
            pads = np.full((len(x), -seq % self.config.block_size), self.config.pad_token_id or 0)
            x = ops.concatenate(x, self.embed_tokens(pads), axis=1)
            self.look_by_blocks(state, x, seq, attention_mask)
        elif self.config.attention_type == "original_full":
            state.look_around(x, attention_mask)
        else:  # the reference, once turned to full attention, forgets both masks
            state.look_around(x, None)
            state.head_mask = None
        return self.run(x, state)[:, :seq]


class BigBirdPegasusModel(BartModel):
    config_class = BigBirdPegasusConfig
    stack_class = BigBirdPegasusStack

    def encode(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        head_mask: Any = None,
    ) -> BaseModelOutput:
        x = self.embed(self.shared, input_ids, inputs_embeds)
        state = state.beside(head_mask=head_mask)
        x = self.encoder.read(x, state, attention_mask)
        kept = (tuple(k) if k else None for k in (state.hidden_states, state.attentions))
        return BaseModelOutput(x, *kept)


class BigBirdPegasusForConditionalGeneration(BartForConditionalGeneration):
    config_class = BigBirdPegasusConfig
    base_class = BigBirdPegasusModel


class BigBirdPegasusForSequenceClassification(BartForSequenceClassification):
    config_class = BigBirdPegasusConfig
    base_class = BigBirdPegasusModel


class BigBirdPegasusForQuestionAnswering(BartForQuestionAnswering):
    config_class = BigBirdPegasusConfig
    base_class = BigBirdPegasusModel


class BigBirdPegasusForCausalLM(BartForCausalLM):
    config_class = BigBirdPegasusConfig
    stack_class = BigBirdPegasusStack
