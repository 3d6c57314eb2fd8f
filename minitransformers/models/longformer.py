"""Longformer (Beltagy et al., 2020): each token sees its neighbours and a few global tokens, which
see all. Attention is computed chunk by chunk: memory grows with the length, not with its square.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.masks import Mask
from ..core.module import Module
from ..core.primitive import value_of
from ..core.sliding_window import Sight
from ..core.state import State
from .bert import BertEmbeddings, BertIntermediate, BertPooler, BertResidual
from .config import PretrainedConfig
from .heads import (
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import ModelOutput
from .roberta import RobertaLMHead


class LongformerConfig(PretrainedConfig):
    """attention_window: how many neighbours a token sees, half to each side; or one such a layer"""

    model_type = "longformer"
    attention_window: int | list = 512
    sep_token_id: int | None = 2
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    onnx_export: bool = False


def reach(window: int | list, layer: int) -> int:
    """To how far on either side a layer looks. Raises ValueError for a window without a middle."""
    width = window if isinstance(window, int) else window[layer]
    if width <= 0 or width % 2:
        raise ValueError(f"attention_window must be even and positive, not {width}")
    return width // 2


class LongformerSelfAttention(Module):
    def __init__(self, config: Any, layer: int):
        n = config.hidden_size
        self.query, self.key, self.value = (Linear(n, n) for _ in range(3))
        self.query_global, self.key_global, self.value_global = (Linear(n, n) for _ in range(3))
        rate = config.attention_probs_dropout_prob
        self.dropout, self.dropout_global = Dropout(rate, order=(0, 2, 1, 3)), Dropout(rate)
        self.layer, self.heads = layer, config.num_attention_heads
        self.side = reach(config.attention_window, layer)
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)

    def split(self, x: Any) -> Any:
        return ops.split_heads(x, heads=self.heads)

    def __call__(self, x: Any, state: State) -> Any:
        sight: Sight = state.sight
        out = self.near(x, state, sight) * sight.shown.astype(np.float32)[:, :, None]
        if not sight.most:
            return out
        everywhere = self.far(x, state, sight)
        return out * (~sight.is_global).astype(np.float32)[:, :, None] + sight.back(everywhere)

    def near(self, x: Any, state: State, sight: Sight) -> Any:
        """Each token's attention to its neighbours and to the global tokens."""
        q, key, value = self.split(self.query(x)), self.key(x), self.value(x)
        k, v = self.split(key), self.split(value)
        if sight.most:
            known = [self.split(sight.of_globals(part)) for part in (key, value)]
        width = sight.most + 2 * self.side + 1
        drops = self.dropout.mask((x.shape[0], self.heads, sight.seq, width))
        parts: list = []
        kept: list | None = None if state.attentions is None else []
        for chunk in sight.chunks(self.side):
            keys, values = k[:, :, chunk.keys], v[:, :, chunk.keys]
            if sight.most:
                keys = ops.concatenate(known[0], keys, axis=2)
                values = ops.concatenate(known[1], values, axis=2)
            some, dropped = q[:, :, chunk.queries], None if drops is None else chunk.of_band(drops)
            parts.append(state.mix(self.layer, some, keys, values, self.scale, dropped, chunk.mask,
                                   keep=kept))  # fmt: skip
        if kept and state.attentions is not None:
            state.attentions.append(sight.band(self.side, [value_of(p) for p in kept]))
        return ops.merge_heads(ops.concatenate(*parts, axis=2))

    def far(self, x: Any, state: State, sight: Sight) -> Any:
        """The global tokens' attention to all, by matrices of its own. -> (batch, most, hidden)"""
        q = self.split(self.query_global(sight.of_globals(x)))
        k, v = self.split(self.key_global(x)), self.split(self.value_global(x))
        mask = Mask(sight.most, sight.seq, padding=sight.shown)
        keep: list | None = None if state.global_attentions is None else []
        rate = self.dropout_global.rate
        out = state.mix(self.layer, q, k, v, self.scale, rate, mask, keep=keep)
        if keep:
            # a row with fewer global tokens than another has nobody there, who sees all alike
            p = np.where(sight.real[:, None, :, None], value_of(keep[0]), np.float32(1 / sight.seq))
            state.global_attentions.append(p.swapaxes(2, 3))
        return ops.merge_heads(out)


class LongformerAttention(Module):
    def __init__(self, config: LongformerConfig, layer: int):
        self.self = LongformerSelfAttention(config, layer)
        self.output = BertResidual(config, config.hidden_size)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.self(x, state), x)


class LongformerLayer(Module):
    def __init__(self, config: LongformerConfig, layer: int):
        self.attention = LongformerAttention(config, layer)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.attention(x, state)
        return self.output(self.intermediate(x), x)


class LongformerEncoder(Module):
    def __init__(self, config: LongformerConfig):
        self.layer = [LongformerLayer(config, i) for i in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)


class LongformerBaseModelOutputWithPooling(ModelOutput):
    """attentions: (batch, heads, seq, global + window + 1), of the global tokens and of neighbours;
    global_attentions: (batch, heads, seq, global), of the global tokens' queries"""

    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    attentions: Any = None
    global_attentions: Any = None


class LongformerMaskedLMOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None
    global_attentions: Any = None


class LongformerSequenceClassifierOutput(LongformerMaskedLMOutput):
    pass


class LongformerMultipleChoiceModelOutput(LongformerMaskedLMOutput):
    pass


class LongformerTokenClassifierOutput(LongformerMaskedLMOutput):
    pass


class LongformerQuestionAnsweringModelOutput(ModelOutput):
    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None
    global_attentions: Any = None


class LongformerPreTrainedModel(PreTrainedModel):
    config_class = LongformerConfig
    base_model_prefix = "longformer"
    input_embeddings = "embeddings.word_embeddings"
    inputs = (
        "input_ids",
        "attention_mask",
        "global_attention_mask",
        "head_mask",
        "token_type_ids",
        "position_ids",
        "inputs_embeds",
    )


class LongformerEmbeddings(BertEmbeddings):
    def __init__(self, config: LongformerConfig):
        super().__init__(config)
        # made last, which decides about fresh weights
        self.position_embeddings = vars(self).pop("position_embeddings")
        self.position_embeddings.padding_idx = config.pad_token_id


class LongformerModel(LongformerPreTrainedModel):
    output_class = LongformerBaseModelOutputWithPooling

    def __init__(self, config: LongformerConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = LongformerEmbeddings(config)
        self.encoder = LongformerEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        window = self.config.attention_window if self.training else 1
        state.sight = sight = Sight(x, attention_mask, global_attention_mask, window)
        pad = self.config.pad_token_id
        positions = state.positions_of(x, input_ids, 0 if pad is None else pad, position_ids)
        if inputs_embeds is not None:  # the reference embeds their filling first, and then again
            self.embeddings.dropout.mask((x.shape[0], sight.filled, x.shape[2]))
        x = self.embeddings(*(sight.fill(part) for part in (x, token_type_ids, positions)))
        x = sight.cut(self.encoder(x, state), state)
        pooled = None if self.pooler is None else self.pooler(x)
        return {"last_hidden_state": x, "pooler_output": pooled}


def question(ids: np.ndarray, sep: int | None, after: bool = False) -> np.ndarray:
    """Ones before the first separator or, `after`, behind the second. ids: (..., seq)

    Raises ValueError unless each row has three separators, as a question and a context have.
    """
    found = ids == sep
    if (found.sum(-1) != 3).any():
        raise ValueError(
            f"There should be exactly three separator tokens: {sep} in every sample for questions "
            "answering. You might also consider to set `global_attention_mask` manually."
        )
    first, places = found.argmax(-1)[..., None], np.arange(ids.shape[-1])
    return ((places > first + 1) if after else (places < first)).astype(np.int64)


class LongformerForMaskedLM(ForMaskedLM, LongformerPreTrainedModel):
    base_class = LongformerModel
    base_options = {"add_pooling_layer": False}
    output_class = LongformerMaskedLMOutput
    tied = {"lm_head.decoder.weight": "longformer.embeddings.word_embeddings.weight"}
    always_tied = {"lm_head.decoder.bias": "lm_head.bias"}

    def __init__(self, config: LongformerConfig):
        super().__init__(config)
        self.lm_head = RobertaLMHead(config)

    def predict(self, x: Any) -> Any:
        return self.lm_head(x)


class LongformerForSequenceClassification(
    FirstTokenForSequenceClassification, LongformerPreTrainedModel
):
    """Its first token is global, unless global_attention_mask says otherwise."""

    base_class = LongformerModel
    base_options = {"add_pooling_layer": False}
    output_class = LongformerSequenceClassifierOutput

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        if "global_attention_mask" not in inputs:
            shape = inputs.get("input_ids", inputs.get("inputs_embeds")).shape[:2]
            inputs["global_attention_mask"] = (np.arange(shape[1]) == 0) * np.ones(shape, np.int64)
        return inputs


class LongformerForQuestionAnswering(ForQuestionAnswering, LongformerPreTrainedModel):
    """The question is global, unless global_attention_mask says otherwise."""

    base_class = LongformerModel
    base_options = {"add_pooling_layer": False}
    output_class = LongformerQuestionAnsweringModelOutput

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        if "global_attention_mask" not in inputs and "input_ids" in inputs:
            inputs["global_attention_mask"] = question(
                inputs["input_ids"], self.config.sep_token_id
            )
        return inputs


class LongformerForMultipleChoice(ForMultipleChoice, LongformerPreTrainedModel):
    """The answers are global, unless global_attention_mask says otherwise."""

    base_class = LongformerModel
    output_class = LongformerMultipleChoiceModelOutput
    inputs = (
        "input_ids",
        "token_type_ids",
        "attention_mask",
        "global_attention_mask",
        "head_mask",
        "position_ids",
        "inputs_embeds",
    )

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        if "global_attention_mask" not in inputs and "input_ids" in inputs:
            inputs["global_attention_mask"] = question(
                inputs["input_ids"], self.config.sep_token_id, after=True
            )
        return inputs


class LongformerForTokenClassification(ForTokenClassification, LongformerPreTrainedModel):
    base_class = LongformerModel
    base_options = {"add_pooling_layer": False}
    output_class = LongformerTokenClassifierOutput
