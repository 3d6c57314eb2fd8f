"""Any encoder and any decoder that can attend to it, as one model (Rothe et al., 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.layers import Linear
from ..core.random import Generator
from ..core.state import State
from . import auto
from .config import PretrainedConfig
from .heads import token_loss
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput, Seq2SeqLMOutput
from .seq2seq import as_encoder_outputs, shift_right


class EncoderDecoderConfig(PretrainedConfig):
    """encoder, decoder: the parts' configurations, or dictionaries of their fields"""

    model_type = "encoder-decoder"
    is_composition = True
    is_encoder_decoder: bool = True
    encoder: Any = None
    decoder: Any = None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        for part in ("encoder", "decoder"):
            fields = getattr(self, part)
            if fields is None:
                raise ValueError(
                    f"{type(self).__name__} takes the configurations of both an encoder and a "
                    f"decoder, and the {part} is missing: EncoderDecoderConfig."
                    "from_encoder_decoder_configs(encoder_config, decoder_config) combines two"
                )
            if isinstance(fields, dict):
                setattr(self, part, auto.config_class(fields["model_type"])(**fields))
        self.is_encoder_decoder = True

    def get_text_config(self, decoder: bool = False) -> PretrainedConfig:
        """That of the part that writes."""
        return self.decoder

    @classmethod
    def from_encoder_decoder_configs(
        cls, encoder_config: PretrainedConfig, decoder_config: PretrainedConfig, **kwargs: Any
    ) -> EncoderDecoderConfig:
        """Combine two configurations; the decoder is told to attend to the encoder."""
        decoder_config.is_decoder = decoder_config.add_cross_attention = True
        parts = {"encoder": encoder_config.to_dict(), "decoder": decoder_config.to_dict()}
        return cls(**parts, **kwargs)


class Projection(Linear):
    """A Linear whose fresh weights are those that torch makes it with."""

    def made(self, draw: Generator) -> None:
        pass

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        bound = self.weight.shape[1] ** -0.5
        return draw.uniform(getattr(self, attribute).shape, -bound, bound)


class EncoderDecoderModel(PreTrainedModel):
    """A headless model as `encoder` and a causal language model as `decoder`."""

    config_class = EncoderDecoderConfig
    base_model_prefix = "encoder_decoder"
    output_class = Seq2SeqLMOutput
    targets = ("labels",)
    generates = True
    inputs = (
        "input_ids",
        "attention_mask",
        "decoder_input_ids",
        "decoder_attention_mask",
        "encoder_outputs",
        "past_key_values",
        "inputs_embeds",
        "decoder_inputs_embeds",
        "token_type_ids",
    )
    encoder_inputs = ("token_type_ids",)

    def __init__(self, config: Any = None, encoder: Any = None, decoder: Any = None):
        if config is None:
            if encoder is None or decoder is None:
                raise ValueError("give either a configuration, or an encoder and a decoder")
            config = EncoderDecoderConfig.from_encoder_decoder_configs(
                encoder.config, decoder.config
            )
        super().__init__(config)
        self.encoder = encoder or _part(config.encoder, "base")
        self.decoder = decoder or _part(config.decoder, "causal-lm")
        for part in (self.encoder, self.decoder):
            self.ignore, self.renames = self.ignore + part.ignore, self.renames + part.renames
        widths = config.encoder.hidden_size, config.decoder.hidden_size
        self.projects = widths[0] != widths[1]
        if self.projects:
            self.enc_to_dec_proj = Projection(*widths)

    @classmethod
    def from_encoder_decoder_pretrained(
        cls, encoder_pretrained_model_name_or_path: Any, decoder_pretrained_model_name_or_path: Any,
        **kwargs: Any,
    ) -> EncoderDecoderModel:  # fmt: skip
        """Join two checkpoints. What the decoder lacks to attend to the encoder starts afresh.

        keywords that begin with encoder_ or decoder_ are for that part
        """
        own = {
            part: {k.removeprefix(part): v for k, v in kwargs.items() if k.startswith(part)}
            for part in ("encoder_", "decoder_")
        }
        encoder = auto.AutoModel.from_pretrained(
            encoder_pretrained_model_name_or_path, **own["encoder_"]
        )
        decoder = auto.AutoModelForCausalLM.from_pretrained(
            decoder_pretrained_model_name_or_path,
            **{"is_decoder": True, "add_cross_attention": True} | own["decoder_"],
        )
        return cls(encoder=encoder, decoder=decoder)

    def ties(self) -> dict[str, str]:
        ties = {
            f"{part}.{name}": f"{part}.{source}"
            for part in ("encoder", "decoder")
            for name, source in getattr(self, part).ties().items()
        }
        if self.config.tie_encoder_decoder:  # every weight that both have
            base = f"decoder.{self.decoder.base_model_prefix}."
            names = {name for name, _, _ in self.slots()}
            shared = [n.removeprefix("encoder.") for n in names if n.startswith("encoder.")]
            ties |= {base + n: f"encoder.{n}" for n in shared if base + n in names}
        return ties

    def initial_std(self, name: str) -> float:
        part, _, rest = name.partition(".")
        model = getattr(self, part)
        return model.initial_std(rest) if isinstance(model, PreTrainedModel) else 0.02

    def get_input_embeddings(self) -> Any:
        return self.encoder.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.decoder.get_output_embeddings()

    def set_output_embeddings(self, value: Any) -> None:
        self.decoder.set_output_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "an encoder and a decoder have a vocabulary each: call model.encoder."
            "resize_token_embeddings(...) or model.decoder.resize_token_embeddings(...)"
        )

    def _take_options(self, given: dict[str, Any]) -> dict[str, Any]:
        given.setdefault("use_cache", getattr(self.config.decoder, "use_cache", True))
        return super()._take_options(given)

    def shifted(self, ids: np.ndarray) -> np.ndarray:
        """Decoder inputs that predict `ids`. (batch, seq) -> (batch, seq)"""
        return shift_right(ids, self.config.decoder_start_token_id, self.config.pad_token_id)

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        given = inputs.keys() & {"decoder_input_ids", "decoder_inputs_embeds"}
        if "labels" in targets and not given:
            ids = self.shifted(targets["labels"])
            inputs["decoder_input_ids"] = ids
            inputs.setdefault("decoder_attention_mask", (ids != self.config.pad_token_id) * 1)
        return inputs

    def get_encoder(self) -> Any:
        return self.encoder

    def get_decoder(self) -> Any:
        return self.decoder

    def encode(self, state: State, **inputs: Any) -> BaseModelOutput:
        """Run the encoder. state: of the pass it belongs to -> its output, and what is kept"""
        state = state.beside()
        given = {name: x for name, x in inputs.items() if x is not None}
        x = self.encoder.forward(state, **given)["last_hidden_state"]
        kept = (tuple(k) if k else None for k in (state.hidden_states, state.attentions))
        return BaseModelOutput(x, *kept)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        decoder_input_ids: Any = None,
        decoder_attention_mask: Any = None,
        encoder_outputs: Any = None,
        inputs_embeds: Any = None,
        decoder_inputs_embeds: Any = None,
        token_type_ids: Any = None,
    ) -> dict[str, Any]:
        if encoder_outputs is None:
            encoded = self.encode(state, input_ids=input_ids, attention_mask=attention_mask,
                                  inputs_embeds=inputs_embeds,
                                  token_type_ids=token_type_ids)  # fmt: skip
        else:
            encoded = as_encoder_outputs(encoder_outputs)
        source = encoded.last_hidden_state
        decoded = self.decoder.forward(
            state,
            input_ids=decoder_input_ids,
            attention_mask=decoder_attention_mask,
            inputs_embeds=decoder_inputs_embeds,
            encoder_hidden_states=self.enc_to_dec_proj(source) if self.projects else source,
            encoder_attention_mask=attention_mask,
        )
        return {
            "logits": decoded["logits"],
            "encoder_last_hidden_state": source,
            "encoder_hidden_states": encoded.hidden_states,
            "encoder_attentions": encoded.attentions,
        }

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


def _part(config: PretrainedConfig, task: str) -> Any:
    chosen = auto.model_class(config, task)
    if chosen is None:
        raise ValueError(f"{type(config).__name__} has no model for {task}")
    return chosen(config)
