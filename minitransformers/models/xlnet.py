"""XLNet (Yang et al., 2019). Attribute paths are the checkpoint's names.

Tokens see each other in the order of a permutation (`perm_mask`). Where positions are to be
predicted (`target_mapping`), a second stream g of the places alone runs beside the stream h of
contents. What a pass saw is remembered by its layers' inputs (`mems`), not by keys and values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.masks import Mask
from ..core.module import Module, placeholder
from ..core.primitive import value_of
from ..core.random import Generator
from ..core.state import State
from .config import PretrainedConfig
from .decoding import Decoding
from .heads import (
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
    Head,
    SequenceSummary,
    flatten_choices,
    sequence_loss,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import ModelOutput
from .permuted import Outlook, PermutedDecoding, shift_to_keys
from .spans import SpanBeams, SpanBeamsOutput


class XLNetConfig(PretrainedConfig):
    """attn_type: "bi" sees both ways, "uni" only back

    mem_len: of how many positions `mems` are kept, None or 0 for all
    reuse_len: of a pass, only so many first positions are remembered, None or 0 for all
    bi_data: the second half of a batch is read backwards
    clamp_len: distances beyond it count as it, if it is positive
    same_length: with "uni", each token sees equally many before it
    """

    model_type = "xlnet"
    keys_to_ignore_at_inference = ["mems"]
    attribute_map = {
        "n_token": "vocab_size",
        "hidden_size": "d_model",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    vocab_size: int = 32000
    d_model: int = 1024
    n_layer: int = 24
    n_head: int = 16
    d_inner: int = 4096
    ff_activation: str = "gelu"
    untie_r: bool = True
    attn_type: str = "bi"
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1
    mem_len: int | None = 512
    reuse_len: int | None = None
    use_mems_eval: bool = True
    use_mems_train: bool = False
    bi_data: bool = False
    clamp_len: int = -1
    same_length: bool = False
    summary_type: str = "last"
    summary_use_proj: bool = True
    summary_activation: str = "tanh"
    summary_last_dropout: float = 0.1
    start_n_top: int = 5
    end_n_top: int = 5
    pad_token_id: int | None = 5
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2
    d_head: int = 64

    def __init__(self, *values: Any, **kwargs: Any):
        given = kwargs.pop("d_head", None)
        super().__init__(*values, **kwargs)
        if self.d_model % self.n_head:
            raise ValueError(
                f"d_model ({self.d_model}) should be a multiple of n_head ({self.n_head})"
            )
        self.d_head = self.d_model // self.n_head
        if given not in (None, self.d_head):
            raise ValueError(f"d_head ({given}) should be d_model / n_head, which is {self.d_head}")
        if self.attn_type not in ("bi", "uni"):
            raise ValueError(f"attn_type {self.attn_type!r} is neither 'bi' nor 'uni'")
        if "use_cache" in kwargs:  # how old files say it
            self.use_mems_eval = kwargs["use_cache"]

    @property
    def max_position_embeddings(self) -> int:
        """-1: distances have no limit."""
        return -1


class XLNetRelativeAttention(Module):
    """Keys answer by content, by distance and by whether they are of the query's segment."""

    def __init__(self, config: XLNetConfig, layer: int):
        n, heads = config.d_model, config.n_head
        self.q, self.k, self.v, self.o, self.r = (
            placeholder(n, heads, config.d_head) for _ in range(5)
        )
        self.r_r_bias, self.r_s_bias, self.r_w_bias = (
            placeholder(heads, config.d_head) for _ in range(3)
        )
        self.seg_embed = placeholder(2, heads, config.d_head)
        self.layer_norm = LayerNorm(n, config.layer_norm_eps)
        self.dropout = Dropout(config.dropout, order=(1, 0, 2))
        self.layer, self.heads, self.scale = layer, heads, 1.0 / math.sqrt(config.d_head)

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return draw.normal(getattr(self, attribute).shape, std=std)

    def __call__(
        self, h: Any, g: Any, past: Any, outlook: Outlook, state: State
    ) -> tuple[Any, Any]:
        """h: (batch, seq, hidden); g: (batch, predicted, hidden) or None; past: what is remembered

        -> both streams
        """
        seen = h if past is None else ops.concatenate(past, h, axis=1)
        keys = [self.project(seen, self.k), self.project(seen, self.v)]
        keys.append(self.project(outlook.distances, self.r))
        kept: list | None = None if state.attentions is None else []

        q = self.project(h, self.q)
        h = self.add(h, self.attend(q, *keys, outlook.apart, outlook.h_mask, state, kept))
        if g is not None:
            q = ops.einsum(self.project(g, self.q), outlook.targets, subscripts="bhpd,bps->bhsd")
            out = self.attend(q, *keys, outlook.apart, outlook.g_mask, state, kept)
            g = self.add(g, ops.einsum(out, outlook.targets, subscripts="bhsd,bps->bhpd"))
        if kept and state.attentions is not None:
            state.attentions.append(kept[0] if g is None else tuple(kept))
        return h, g

    def project(self, x: Any, weight: Any) -> Any:
        """(batch, seq, hidden) -> (batch, heads, seq, head_dim)"""
        x = ops.conv1d(x, ops.reshape(weight, shape=(weight.shape[0], -1)))
        return ops.split_heads(x, heads=self.heads)

    def attend(
        self, q: Any, k: Any, v: Any, r: Any, apart: Any, mask: Mask, state: State, keep: Any
    ) -> Any:
        """q: (batch, heads, seq, head_dim) -> the same shape"""
        subscripts = "bhsd,bhpd->bhsp"
        if r.shape[0] == 1:
            r, subscripts = r[0], "bhsd,hpd->bhsp"
        scores = ops.einsum(q + self.each(self.r_r_bias), r, subscripts=subscripts)
        bias = shift_to_keys(scores, k.shape[2])
        if apart is not None:
            ours = ops.einsum(
                q + self.each(self.r_s_bias), self.seg_embed, subscripts="bhsd,phd->bhsp"
            )
            bias = bias + ours[..., :1] * (1.0 - apart) + ours[..., 1:] * apart
        q = q + self.each(self.r_w_bias)
        drop, bias = self.dropout.rate, bias * self.scale
        return state.mix(self.layer, q, k, v, self.scale, drop, mask, bias, keep)

    def each(self, bias: Any) -> Any:
        """(heads, head_dim), for every position -> (heads, 1, head_dim)"""
        return ops.reshape(bias, shape=(self.heads, 1, -1))

    def add(self, x: Any, out: Any) -> Any:
        weight = ops.reshape(self.o, shape=(self.o.shape[0], -1))
        return self.layer_norm(x + self.dropout(ops.linear(ops.merge_heads(out), weight)))


class XLNetFeedForward(Module):
    def __init__(self, config: XLNetConfig):
        self.layer_norm = LayerNorm(config.d_model, config.layer_norm_eps)
        self.layer_1 = Linear(config.d_model, config.d_inner)
        self.layer_2 = Linear(config.d_inner, config.d_model)
        self.dropout = Dropout(config.dropout, order=(1, 0, 2))
        self.act = ops.activation(config.ff_activation)

    def __call__(self, x: Any) -> Any:
        y = self.layer_2(self.dropout(ops.activate(self.act, self.layer_1(x))))
        return self.layer_norm(x + self.dropout(y))


class XLNetLayer(Module):
    def __init__(self, config: XLNetConfig, layer: int):
        self.rel_attn = XLNetRelativeAttention(config, layer)
        self.ff = XLNetFeedForward(config)

    def __call__(
        self, h: Any, g: Any, past: Any, outlook: Outlook, state: State
    ) -> tuple[Any, Any]:
        h, g = self.rel_attn(h, g, past, outlook, state)
        return self.ff(h), None if g is None else self.ff(g)


class XLNetModelOutput(ModelOutput):
    """mems: (past, batch, hidden) a layer; hidden_states and attentions: with target_mapping, of
    both streams, content first"""

    last_hidden_state: Any = None
    mems: Any = None
    hidden_states: Any = None
    attentions: Any = None


class XLNetLMHeadModelOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    mems: Any = None
    hidden_states: Any = None
    attentions: Any = None


class XLNetForSequenceClassificationOutput(XLNetLMHeadModelOutput):
    pass


class XLNetForTokenClassificationOutput(XLNetLMHeadModelOutput):
    pass


class XLNetForMultipleChoiceOutput(XLNetLMHeadModelOutput):
    pass


class XLNetForQuestionAnsweringSimpleOutput(ModelOutput):
    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    mems: Any = None
    hidden_states: Any = None
    attentions: Any = None


class XLNetForQuestionAnsweringOutput(SpanBeamsOutput):
    mems: Any = None
    hidden_states: Any = None
    attentions: Any = None


class XLNetPreTrainedModel(PreTrainedModel):
    """padding_side: positions are counted from each other, and heads read the last token"""

    padding_side = "left"
    config_class = XLNetConfig
    base_model_prefix = "transformer"
    input_embeddings = "word_embedding"
    inputs = (
        "input_ids",
        "attention_mask",
        "mems",
        "perm_mask",
        "target_mapping",
        "token_type_ids",
        "input_mask",
        "head_mask",
        "inputs_embeds",
        "use_mems",
    )

    def _take_options(self, given: dict[str, Any]) -> dict[str, Any]:
        if "use_cache" in given:
            given.setdefault("use_mems", given["use_cache"])
        return super()._take_options(given)

    def _output(self, state: State, values: dict[str, Any], use_cache: bool) -> ModelOutput:
        mems = None if state.mems is None else tuple(state.mems)
        return super()._output(state, {"mems": mems} | values, use_cache)


class XLNetModel(XLNetPreTrainedModel):
    output_class = XLNetModelOutput

    def __init__(self, config: XLNetConfig):
        super().__init__(config)
        self.mask_emb = placeholder(1, 1, config.d_model)
        self.word_embedding = Embedding(config.vocab_size, config.d_model)
        self.layer = [XLNetLayer(config, i) for i in range(config.n_layer)]
        self.dropout = Dropout(config.dropout, order=(1, 0, 2))

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return draw.normal(self.mask_emb.shape, std=std)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        mems: Any = None,
        perm_mask: Any = None,
        target_mapping: Any = None,
        token_type_ids: Any = None,
        input_mask: Any = None,
        inputs_embeds: Any = None,
        use_mems: Any = None,
    ) -> dict[str, Any]:
        h = self.dropout(self.embed(self.word_embedding, input_ids, inputs_embeds))
        g, (batch, seq) = None, h.shape[:2]
        if target_mapping is not None:
            places = np.zeros((batch, target_mapping.shape[1], 1), np.float32)
            g = self.dropout(self.mask_emb + places)
        past = self.recall(mems)
        outlook = Outlook(
            self.config, batch, seq, seq if past[0] is None else seq + past[0].shape[1],
            attention_mask=attention_mask, input_mask=input_mask, perm_mask=perm_mask,
            target_mapping=target_mapping, token_type_ids=token_type_ids,
        )  # fmt: skip
        if self.training:  # each row of the batch drops its own
            shape = (batch, *outlook.distances.shape[1:])
            outlook.distances = self.dropout(np.broadcast_to(outlook.distances, shape))
        if use_mems is None:
            use_mems = self.config.use_mems_train if self.training else self.config.use_mems_eval
        state.mems = [] if use_mems else None
        for layer, before in zip(self.layer, past):
            if state.mems is not None:
                state.mems.append(self.remember(h, before))
            self.keep(h, g, state)
            h, g = layer(h, g, before, outlook, state)
        self.keep(h, g, state)
        return {"last_hidden_state": self.dropout(h if g is None else g)}

    def keep(self, h: Any, g: Any, state: State) -> None:
        for stream in (h,) if g is None else (h, g):
            state.keep(stream)

    def recall(self, mems: Any) -> list:
        """(past, batch, hidden) a layer, or None -> (batch, past, hidden) a layer, or None each"""
        if mems is None:
            return [None] * len(self.layer)
        if len(mems) != len(self.layer):
            raise ValueError(
                f"mems holds {len(mems)} arrays, but there are {len(self.layer)} layers: pass on "
                "the mems of an earlier output"
            )
        return [np.asarray(x).swapaxes(0, 1) for x in mems]

    def remember(self, x: Any, past: Any) -> np.ndarray:
        """What later passes see of a layer's input. x: (batch, seq, hidden), under differentiation
        or not -> (past, batch, hidden)"""
        x = value_of(x)[:, : self.config.reuse_len or None]
        x = x if past is None else np.concatenate([past, x], axis=1)
        return x[:, -(self.config.mem_len or 0) :].swapaxes(0, 1)


class XLNetLMHeadModel(ForCausalLM, XLNetPreTrainedModel):
    """Logits of the places in target_mapping or, without it, of each token itself.

    without_modes: it predicts one place a pass, and tells nothing of the contents it remembers
    """

    base_class = XLNetModel
    output_class = XLNetLMHeadModelOutput
    head = "lm_loss"
    head_bias = True
    without_modes = ("assisted", "contrastive")
    tied = {"lm_loss.weight": "transformer.word_embedding.weight"}

    def start(self, inputs: dict[str, Any], prompt: np.ndarray, **how: Any) -> Decoding:
        return PermutedDecoding(self, inputs, prompt, **how)

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        """labels: (batch, predicted), of the places that are predicted"""
        return {"loss": token_loss(values["logits"], labels)}


class SummaryHead(Head):
    """A `sequence_summary` and a Linear `logits_proj`."""

    def __init__(self, config: XLNetConfig):
        super().__init__(config)
        self.sequence_summary = SequenceSummary(config, config.num_labels)
        self.logits_proj = Linear(config.d_model, self.classes(config))

    def classes(self, config: XLNetConfig) -> int:
        return config.num_labels

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.logits_proj(self.sequence_summary(self.hidden(state, **inputs)))}


class XLNetForSequenceClassification(SummaryHead, XLNetPreTrainedModel):
    """Labels of a sequence, from its last token: padding belongs on the left."""

    base_class = XLNetModel
    output_class = XLNetForSequenceClassificationOutput

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": sequence_loss(self.config, values["logits"], labels)}


class XLNetForMultipleChoice(SummaryHead, XLNetPreTrainedModel):
    """Which of several continuations fits: inputs are (batch, choices, seq), but for mems,
    perm_mask and target_mapping, whose batch is all choices."""

    base_class = XLNetModel
    output_class = XLNetForMultipleChoiceOutput
    inputs = (
        "input_ids",
        "token_type_ids",
        "input_mask",
        "attention_mask",
        "mems",
        "perm_mask",
        "target_mapping",
        "head_mask",
        "inputs_embeds",
        "use_mems",
    )
    flat = ("mems", "perm_mask", "target_mapping", "use_mems")

    def classes(self, config: XLNetConfig) -> int:
        return 1

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        example: Any = inputs.get("input_ids", inputs.get("inputs_embeds"))
        flat = {name: inputs.pop(name) for name in self.flat if name in inputs}
        logits = super().forward(state, **flatten_choices(inputs), **flat)["logits"]
        return {"logits": ops.reshape(logits, shape=(-1, example.shape[1]))}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class XLNetForTokenClassification(ForTokenClassification, XLNetPreTrainedModel):
    base_class = XLNetModel
    output_class = XLNetForTokenClassificationOutput

    def __init__(self, config: XLNetConfig):
        super().__init__(config)
        self.dropout = Dropout(0.0)  # the headless model drops already


class XLNetForQuestionAnsweringSimple(ForQuestionAnswering, XLNetPreTrainedModel):
    base_class = XLNetModel
    output_class = XLNetForQuestionAnsweringSimpleOutput


class XLNetForQuestionAnswering(SpanBeams, XLNetPreTrainedModel):
    base_class = XLNetModel
    output_class = XLNetForQuestionAnsweringOutput
    inputs = (*XLNetPreTrainedModel.inputs, "cls_index", "p_mask")
