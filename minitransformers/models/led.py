"""LED (Beltagy et al., 2020): BART with Longformer's attention in the encoder."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core.layers import Embedding, LayerDrop, Linear
from ..core.module import Module
from ..core.state import State
from .bart import (
    BartForConditionalGeneration,
    BartForQuestionAnswering,
    BartForSequenceClassification,
    BartLayer,
    BartModel,
    BartStack,
)
from .config import PretrainedConfig
from .longformer import LongformerSelfAttention, Sight
from .outputs import (
    BaseModelOutput,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
    Seq2SeqQuestionAnsweringModelOutput,
    Seq2SeqSequenceClassifierOutput,
)
from .seq2seq import EncoderDecoder


class LEDConfig(PretrainedConfig):
    model_type = "led"
    scale_embedding: ClassVar[bool] = False
    attribute_map = {
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "attention_probs_dropout_prob": "attention_dropout",
        "initializer_range": "init_std",
    }
    vocab_size: int = 50265
    max_encoder_position_embeddings: int = 16384
    max_decoder_position_embeddings: int = 1024
    encoder_layers: int = 12
    encoder_ffn_dim: int = 4096
    encoder_attention_heads: int = 16
    decoder_layers: int = 12
    decoder_ffn_dim: int = 4096
    decoder_attention_heads: int = 16
    encoder_layerdrop: float = 0.0
    decoder_layerdrop: float = 0.0
    use_cache: bool = True
    activation_function: str = "gelu"
    d_model: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    init_std: float = 0.02
    classifier_dropout: float = 0.0
    attention_window: int | list = 512
    num_hidden_layers: int | None = None
    is_encoder_decoder: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    decoder_start_token_id: int | None = 2

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.num_hidden_layers = self.encoder_layers


class LEDPositions(Embedding):
    def at(self, x: Any, state: State) -> Any:
        """x: (batch, seq, hidden) -> (1, seq, hidden)"""
        return self(state.positions(x))


class LEDEncoderAttention(Module):
    def __init__(self, config: LEDConfig, layer: int):
        self.longformer_self_attn = LongformerSelfAttention(config, layer)
        self.output = Linear(config.d_model, config.d_model)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.longformer_self_attn(x, state))


class LEDEncoderLayer(BartLayer):
    def attention(self, config: LEDConfig, layer: int, heads: int) -> Module:
        return LEDEncoderAttention(config, layer)


class LEDStack(BartStack):
    def make_layer(self, config: LEDConfig, layer: int, decoder: bool) -> Module:
        kind = BartLayer if decoder else LEDEncoderLayer
        return kind(config, layer, decoder, self.pre_norm)

    def make_layerdrop(self, config: LEDConfig, decoder: bool, always: bool = False) -> LayerDrop:
        return super().make_layerdrop(config, decoder, always=not decoder)

    def make_positions(self, config: LEDConfig, decoder: bool) -> Module:
        side = "decoder" if decoder else "encoder"
        return LEDPositions(getattr(config, f"max_{side}_position_embeddings"), config.d_model)

    def place(self, x: Any, state: State) -> Any:
        x = super().place(x, state)
        return x if self.decoder else state.sight.fill(x)


class LEDEncoderBaseModelOutput(BaseModelOutput):
    global_attentions: Any = None


class LEDSeq2SeqModelOutput(Seq2SeqModelOutput):
    encoder_global_attentions: Any = None


class LEDSeq2SeqLMOutput(Seq2SeqLMOutput):
    encoder_global_attentions: Any = None


class LEDSeq2SeqSequenceClassifierOutput(Seq2SeqSequenceClassifierOutput):
    encoder_global_attentions: Any = None


class LEDSeq2SeqQuestionAnsweringModelOutput(Seq2SeqQuestionAnsweringModelOutput):
    encoder_global_attentions: Any = None


class LEDModel(BartModel):
    config_class = LEDConfig
    base_model_prefix = "led"
    stack_class = LEDStack
    shares_layers = True
    output_class = LEDSeq2SeqModelOutput
    encoder_inputs = ("global_attention_mask",)
    inputs = (
        *EncoderDecoder.inputs[:8],
        "global_attention_mask",
        *EncoderDecoder.inputs[8:],
    )

    def encode(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        head_mask: Any = None,
        global_attention_mask: Any = None,
    ) -> LEDEncoderBaseModelOutput:
        x = self.embed(self.shared, input_ids, inputs_embeds)
        state = state.beside(head_mask=head_mask)
        window = self.config.attention_window if self.training else 1
        state.sight = sight = Sight(x, attention_mask, global_attention_mask, window)
        x = sight.cut(self.encoder(x, state), state)
        kept = (state.hidden_states, state.attentions, state.global_attentions)
        return LEDEncoderBaseModelOutput(x, *(tuple(k) if k else None for k in kept))

    def forward(
        self, state: State, global_attention_mask: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        if inputs.get("encoder_outputs") is None:
            own = {
                name: inputs.pop(name, None) for name in ("input_ids", "inputs_embeds", "head_mask")
            }
            inputs["encoder_outputs"] = self.encode(
                state,
                attention_mask=inputs.get("attention_mask"),
                global_attention_mask=global_attention_mask,
                **own,
            )
        seen = getattr(inputs["encoder_outputs"], "global_attentions", None)
        return super().forward(state, **inputs) | {"encoder_global_attentions": seen}


TIED = {f"led.{name}": "led.shared.weight" for name in LEDModel.always_tied}


class LEDForConditionalGeneration(BartForConditionalGeneration):
    config_class = LEDConfig
    base_model_prefix = "led"
    always_tied = TIED
    tied = {"lm_head.weight": "led.shared.weight"}
    base_class = LEDModel
    output_class = LEDSeq2SeqLMOutput
    encoder_inputs = LEDModel.encoder_inputs
    inputs = LEDModel.inputs


class LEDForSequenceClassification(BartForSequenceClassification):
    config_class = LEDConfig
    base_model_prefix = "led"
    always_tied = TIED
    base_class = LEDModel
    output_class = LEDSeq2SeqSequenceClassifierOutput
    inputs = tuple(name for name in LEDModel.inputs if name != "past_key_values")


class LEDForQuestionAnswering(BartForQuestionAnswering):
    config_class = LEDConfig
    base_model_prefix = "led"
    always_tied = TIED
    base_class = LEDModel
    output_class = LEDSeq2SeqQuestionAnsweringModelOutput
    inputs = LEDForSequenceClassification.inputs
