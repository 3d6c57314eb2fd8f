"""What encoder-decoder models share: one pass through both, and how decoder inputs are derived."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core.layers import Embedding, Linear
from ..core.module import Module, placeholder
from ..core.state import State
from .heads import ClassificationHead, Head, sequence_loss, span_loss, start_and_end, token_loss
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutput,
    Seq2SeqLMOutput,
    Seq2SeqQuestionAnsweringModelOutput,
    Seq2SeqSequenceClassifierOutput,
)

_DECODER_INPUTS = {"decoder_input_ids", "decoder_inputs_embeds"}


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
    """A model with an `encoder` and a `decoder`, stacks that take embeddings and a state.

    decodes_input: whether, without decoder inputs, the decoder reads the encoder's
    """

    decodes_input: ClassVar[bool] = False

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

    def get_encoder(self) -> EncoderAlone:
        """The encoder, to be called by itself."""
        return EncoderAlone(self)

    def get_decoder(self) -> Any:
        """The stack of decoder layers."""
        return self.decoder

    def input_table(self) -> Embedding | Module:
        """The embeddings that both stacks look their tokens up in."""
        raise NotImplementedError

    def decoder_table(self) -> Any:
        """The decoder's embeddings, where they are others."""
        return self.input_table()

    def shifted(self, ids: np.ndarray) -> np.ndarray:
        """Decoder inputs that predict `ids`. (batch, seq) -> (batch, seq)"""
        return shift_right(ids, self.config.decoder_start_token_id, self.config.pad_token_id)

    def decode_the_input(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Give the decoder the encoder's input, shifted, unless it has one of its own."""
        if not inputs.keys() & _DECODER_INPUTS:
            if "input_ids" not in inputs:
                raise ValueError(
                    "without decoder_input_ids the decoder reads input_ids, which are missing too"
                )
            inputs["decoder_input_ids"] = self.shifted(inputs["input_ids"])
        return inputs

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        return self.decode_the_input(inputs) if self.decodes_input else inputs

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
        state.ids = input_ids
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
        table = self.decoder_table()
        x = self.embed(table, decoder_input_ids, decoder_inputs_embeds, part="decoder_")
        state.ids = decoder_input_ids
        state.head_mask = decoder_head_mask
        state.look_back(x, decoder_attention_mask)
        state.look_at_source(encoded.last_hidden_state, attention_mask)
        return {
            "last_hidden_state": self.decoder(x, state),
            "encoder_last_hidden_state": encoded.last_hidden_state,
            "encoder_hidden_states": encoded.hidden_states,
            "encoder_attentions": encoded.attentions,
        }


class EncoderAlone:
    """The encoder of a model as a callable of its own: what it returns may be given to the model,
    or to `generate`, as `encoder_outputs`. What else it has, such as `parameters()`, is that of the
    encoder's stack.
    """

    main_input_name = "input_ids"

    def __init__(self, model: PreTrainedModel):
        self.model, self.config = model, model.config

    def __getattr__(self, name: str) -> Any:
        if name in ("model", "config") or name.startswith("__"):
            raise AttributeError(name)  # while it is being copied or unpickled
        return getattr(self.model.base_model.encoder, name)

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **inputs: Any,
    ) -> Any:
        """input_ids: (batch, seq); attention_mask: (batch, seq) ones where there is no padding

        -> BaseModelOutput with last_hidden_state (batch, seq, hidden), or a tuple
        """
        config = self.config

        def chosen(given: bool | None, default: bool) -> bool:
            return default if given is None else given

        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "head_mask": head_mask,
            "inputs_embeds": inputs_embeds,
        } | inputs
        state = State(
            hidden=chosen(output_hidden_states, config.output_hidden_states),
            attentions=chosen(output_attentions, config.output_attentions),
        )
        arrays = {n: np.asarray(x) for n, x in given.items() if x is not None}
        with self.model.recorded(cached=False):
            encoded = self.model.encode(state, **arrays)
        return encoded if chosen(return_dict, config.return_dict) else encoded.to_tuple()


def as_encoder_outputs(given: Any) -> BaseModelOutput:
    """From a ModelOutput, a tuple whose first entry is the hidden states, or these alone."""
    if isinstance(given, dict):
        fields = ("last_hidden_state", "hidden_states", "attentions")
        return BaseModelOutput(*(given.get(name) for name in fields))
    if isinstance(given, (tuple, list)):
        return BaseModelOutput(*given[:3])
    return BaseModelOutput(given)


# heads


class Seq2SeqHead(Head):
    """A head on an encoder-decoder model `base_class`."""

    inputs = EncoderDecoder.inputs
    caches_with_targets = False

    def get_encoder(self) -> EncoderAlone:
        """The encoder, to be called by itself."""
        return EncoderAlone(self)

    def get_decoder(self) -> Any:
        """The stack of decoder layers."""
        return self.base_model.decoder

    def encode(self, state: State, **inputs: Any) -> BaseModelOutput:
        return self.base_model.encode(state, **inputs)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        return self.base_model.complete(inputs, targets)


class ForConditionalGeneration(Seq2SeqHead):
    """Logits of the next token of the decoder: a Linear `lm_head`, and a bias added to its result.

    has_logits_bias: whether there is one
    """

    output_class = Seq2SeqLMOutput
    generates = True
    has_logits_bias: ClassVar[bool] = True
    optional = ("final_logits_bias",)
    per_token = {"final_logits_bias": "zeros"}
    buffers = ("final_logits_bias",)

    def __init__(self, config: Any):
        super().__init__(config)
        vocab = getattr(config, "decoder_vocab_size", None) or config.vocab_size
        if self.has_logits_bias:
            self.final_logits_bias = placeholder(1, vocab)
        self.lm_head = Linear(config.hidden_size, vocab, bias=False)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        if "labels" in targets and not inputs.keys() & _DECODER_INPUTS:
            inputs["decoder_input_ids"] = self.base_model.shifted(targets["labels"])
        return super().complete(inputs, targets)

    def prepare_decoder_input_ids_from_labels(self, labels: np.ndarray) -> np.ndarray:
        """The reference's name of what a collator asks for. (batch, seq) -> (batch, seq)"""
        return self.base_model.shifted(np.asarray(labels))

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.base_model.forward(state, **inputs)
        logits = self.lm_head(state.tail(values.pop("last_hidden_state")))
        if self.has_logits_bias:
            logits = logits + self.final_logits_bias
        return {"logits": logits, **values}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class Seq2SeqForSequenceClassification(Seq2SeqHead):
    """Labels of a sequence, from the decoder's last end-of-sequence token."""

    inputs = tuple(name for name in EncoderDecoder.inputs if name != "past_key_values")
    output_class = Seq2SeqSequenceClassifierOutput

    def __init__(self, config: Any):
        super().__init__(config)
        self.classification_head = ClassificationHead(config)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        return self.base_model.decode_the_input(inputs)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        if inputs.get("input_ids") is None:
            raise ValueError(
                f"{type(self).__name__} takes input_ids, where it looks for <eos>, and no "
                "inputs_embeds alone"
            )
        values = self.base_model.forward(state, **inputs)
        x = last_eos(values.pop("last_hidden_state"), inputs["input_ids"], self.config.eos_token_id)
        return {"logits": self.classification_head(x), **values}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": sequence_loss(self.config, values["logits"], labels)}


class Seq2SeqForQuestionAnswering(Seq2SeqHead):
    """Start and end of the answer in what the decoder reads: a Linear `qa_outputs`."""

    inputs = Seq2SeqForSequenceClassification.inputs
    output_class = Seq2SeqQuestionAnsweringModelOutput
    targets = ("start_positions", "end_positions")

    def __init__(self, config: Any):
        config.num_labels = 2
        super().__init__(config)
        self.qa_outputs = Linear(config.hidden_size, config.num_labels)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        return self.base_model.decode_the_input(inputs)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.base_model.forward(state, **inputs)
        logits = self.qa_outputs(values.pop("last_hidden_state"))
        return start_and_end(logits) | values

    def loss(
        self, values: dict[str, Any], start_positions: Any = None, end_positions: Any = None
    ) -> dict[str, Any]:
        if start_positions is None or end_positions is None:
            return {}
        ends = values["start_logits"], values["end_logits"]
        return {"loss": span_loss(*ends, start_positions, end_positions)}
