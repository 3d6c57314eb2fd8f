"""What encoder-decoder models share: one pass through both, and how decoder inputs are derived."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.layers import Embedding
from ..core.module import Module
from ..core.state import State
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput


def shift_right(ids: np.ndarray, start: int | None, pad: int | None) -> np.ndarray:
    """Decoder inputs that predict `ids`: each position sees the labels before it.

    ids: (batch, seq), -100 read as padding -> (batch, seq)
    Raises ValueError if the configuration lacks a token it needs.
    """
    if start is None or pad is None:
        raise ValueError(
            "decoder inputs are derived from labels with config.decoder_start_token_id and "
            f"config.pad_token_id, which are {start} and {pad}: set them, or pass decoder_input_ids"
        )
    shifted = np.concatenate([np.full_like(ids[:, :1], start), ids[:, :-1]], axis=1)
    return np.where(shifted == -100, pad, shifted)


def last_eos(x: Any, ids: np.ndarray, eos: Any) -> Any:
    """What stands at the last end-of-sequence token. x: (batch, seq, hidden) -> (batch, hidden)"""
    found = ids == eos
    if len(np.unique(found.sum(1))) > 1:
        raise ValueError("All examples must have the same number of <eos> tokens.")
    if not found.any():
        raise ValueError(
            f"no end-of-sequence token ({eos}) in the input, which is classified by it"
        )
    return x[np.arange(len(ids)), ids.shape[1] - 1 - found[:, ::-1].argmax(1)]


class EncoderDecoder(PreTrainedModel):
    """A model with an `encoder` and a `decoder`, stacks that take embeddings and a state."""

    inputs = (
        "input_ids",
        "attention_mask",
        "decoder_input_ids",
        "decoder_attention_mask",
        "head_mask",
        "decoder_head_mask",
        "cross_attn_head_mask",
        "encoder_outputs",
        "past_key_values",
        "inputs_embeds",
        "decoder_inputs_embeds",
    )
    encoder: Any
    decoder: Any

    def input_table(self) -> Embedding | Module:
        """The embeddings that both stacks look their tokens up in."""
        raise NotImplementedError

    def encode(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        head_mask: Any = None,
    ) -> BaseModelOutput:
        """Run the encoder. state: of the pass it belongs to -> its output, and what is kept"""
        x = self.embed(self.input_table(), input_ids, inputs_embeds)
        state = state.beside(head_mask=head_mask)
        state.look_around(x, attention_mask)
        x = self.encoder(x, state)
        kept = (tuple(k) if k else None for k in (state.hidden_states, state.attentions))
        return BaseModelOutput(x, *kept)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        decoder_input_ids: Any = None,
        decoder_attention_mask: Any = None,
        head_mask: Any = None,
        decoder_head_mask: Any = None,
        encoder_outputs: Any = None,
        inputs_embeds: Any = None,
        decoder_inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        if encoder_outputs is None:
            encoded = self.encode(state, input_ids, attention_mask, inputs_embeds, head_mask)
        else:
            encoded = as_encoder_outputs(encoder_outputs)
        table = self.input_table()
        x = self.embed(table, decoder_input_ids, decoder_inputs_embeds, part="decoder_")
        state.head_mask = decoder_head_mask
        state.look_back(x, decoder_attention_mask)
        state.look_at_source(encoded.last_hidden_state, attention_mask)
        return {
            "last_hidden_state": self.decoder(x, state),
            "encoder_last_hidden_state": encoded.last_hidden_state,
            "encoder_hidden_states": encoded.hidden_states,
            "encoder_attentions": encoded.attentions,
        }


def as_encoder_outputs(given: Any) -> BaseModelOutput:
    """From a ModelOutput, a tuple whose first entry is the hidden states, or these alone."""
    if isinstance(given, dict):
        fields = ("last_hidden_state", "hidden_states", "attentions")
        return BaseModelOutput(*(given.get(name) for name in fields))
    if isinstance(given, (tuple, list)):
        return BaseModelOutput(*given[:3])
    return BaseModelOutput(given)
