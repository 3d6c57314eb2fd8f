"""Heads that many architectures share, and their losses. An architecture's class names its base:

class BertForTokenClassification(ForTokenClassification, BertPreTrainedModel):
    base_class = BertModel
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.module import Module
from ..core.state import State
from .modeling import PreTrainedModel
from .outputs import (
    CausalLMOutputWithCrossAttentions,
    CausalLMOutputWithPast,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    SequenceClassifierOutputWithPast,
    TokenClassifierOutput,
)

# losses


def token_loss(logits: Any, labels: np.ndarray, smoothing: float = 0.0) -> Any:
    """Cross entropy of each position. logits: (..., classes); labels: (...), -100 ignored -> ()"""
    rows = ops.reshape(logits, shape=(-1, logits.shape[-1]))
    return ops.cross_entropy(rows, labels=labels.reshape(-1), smoothing=smoothing)


def next_token_loss(logits: Any, labels: np.ndarray) -> Any:
    """Position i is to predict label i + 1. logits: (batch, seq, vocab); labels: (batch, seq)"""
    return token_loss(logits[:, :-1], labels[:, 1:])


def sequence_loss(config: Any, logits: Any, labels: np.ndarray) -> Any:
    """Loss of a sequence classifier. logits: (batch, labels)

    config.problem_type decides, and is set at the first call if it is None: regression for one
    label, single_label_classification for integer labels, else multi_label_classification.
    """
    if config.problem_type is None:
        single = labels.dtype.kind in "iu"
        config.problem_type = (
            "regression"
            if config.num_labels == 1
            else f"{'single' if single else 'multi'}_label_classification"
        )
    if config.problem_type == "regression":
        target = labels.astype(np.float32)
        if config.num_labels == 1:
            logits, target = ops.reshape(logits, shape=(-1,)), target.reshape(-1)
        return ops.mse(logits, target=target)
    if config.problem_type == "single_label_classification":
        return token_loss(logits, labels)
    return ops.bce_with_logits(logits, target=labels.astype(np.float32))


def span_loss(start_logits: Any, end_logits: Any, start: np.ndarray, end: np.ndarray) -> Any:
    """The mean of both ends' cross entropies. logits: (batch, seq); start, end: (batch,)

    Positions beyond the sequence are ignored.
    """
    seq = start_logits.shape[1]
    losses = [
        ops.cross_entropy(logits, labels=np.clip(positions.reshape(-1), 0, seq), ignore_index=seq)
        for logits, positions in ((start_logits, start), (end_logits, end))
    ]
    return ops.mul(losses[0] + losses[1], 0.5)


# heads


class Head(PreTrainedModel):
    """A headless model of `base_class` under the attribute `base_model_prefix`, and something on
    top of it.

    base_options: keywords for `base_class`
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[dict[str, Any]] = {}
    targets = ("labels",)

    def __init__(self, config: Any):
        super().__init__(config)
        setattr(self, self.base_model_prefix, self.base_class(config, **self.base_options))

    def width(self, config: Any) -> int:
        """Of what the headless model returns."""
        return config.hidden_size

    def hidden(self, state: State, **inputs: Any) -> Any:
        """-> (batch, seq, hidden)"""
        return self.base_model.forward(state, **inputs)["last_hidden_state"]


_CLASSIFIER_DROPOUT = (
    "classifier_dropout",
    "classifier_dropout_prob",
    "cls_dropout",
    "hidden_dropout_prob",
    "hidden_dropout",
)


def classifier_dropout(config: Any) -> Dropout:
    """Dropout before a classifier, at the rate under the first name the configuration has."""
    for name in _CLASSIFIER_DROPOUT:
        rate = getattr(config, name, None)
        if rate is not None:
            return Dropout(rate)
    return Dropout(0.1)


class ForCausalLM(Head):
    """Logits of the next token: a Linear.

    head: its attribute; head_bias: whether it has a bias
    """

    output_class = CausalLMOutputWithPast
    generates = True
    tied = {}
    head: ClassVar[str] = "lm_head"
    head_bias: ClassVar[bool] = False

    def __init__(self, config: Any):
        super().__init__(config)
        setattr(self, self.head, Linear(self.width(config), config.vocab_size, self.head_bias))

    def get_output_embeddings(self) -> Any:
        return getattr(self, self.head)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.logits(state.tail(self.hidden(state, **inputs)))}

    def logits(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, seq, vocab)"""
        return self.get_output_embeddings()(x)

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": next_token_loss(values["logits"], labels)}


class ForMaskedLM(Head):
    """Logits of each token, which the subclass computes in `predict`."""

    output_class = MaskedLMOutput

    def predict(self, x: Any) -> Any:
        """(batch, seq, hidden) -> (batch, seq, vocab)"""
        raise NotImplementedError

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.predict(state.tail(self.hidden(state, **inputs)))}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class EncoderForCausalLM(ForMaskedLM):
    """An encoder used as a decoder (is_decoder in the configuration): logits of the next token."""

    output_class = CausalLMOutputWithCrossAttentions
    generates = True
    caches_with_targets = False

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": next_token_loss(values["logits"], labels)}


class CausalForSequenceClassification(Head):
    """Labels of a sequence, from the last token that is not padding: decoders see only back."""

    output_class = SequenceClassifierOutputWithPast

    def __init__(self, config: Any):
        super().__init__(config)
        self.score = Linear(self.width(config), config.num_labels, bias=False)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        logits = self.score(self.hidden(state, **inputs))
        rows = np.arange(logits.shape[0])
        return {"logits": logits[rows, self._last(logits, inputs.get("input_ids"))]}

    def _last(self, logits: Any, input_ids: np.ndarray | None) -> Any:
        """-> (batch,) the position to read"""
        pad = self.config.pad_token_id
        batch, seq = logits.shape[:2]
        if pad is None and batch > 1:
            raise ValueError(
                "Cannot handle batch sizes > 1 if no padding token is defined: set "
                "model.config.pad_token_id"
            )
        if pad is None or input_ids is None:
            return np.full(batch, seq - 1)
        first_pad = (input_ids == pad).argmax(-1)
        return (first_pad - 1) % seq  # no padding: position -1, the last

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": sequence_loss(self.config, values["logits"], labels)}


class ForTokenClassification(Head):
    """A label for each token: dropout and a Linear. classifier_name: its attribute"""

    output_class = TokenClassifierOutput
    classifier_name: ClassVar[str] = "classifier"

    def __init__(self, config: Any):
        super().__init__(config)
        self.dropout = classifier_dropout(config)
        setattr(self, self.classifier_name, Linear(self.width(config), config.num_labels))

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        x = self.dropout(self.hidden(state, **inputs))
        return {"logits": getattr(self, self.classifier_name)(x)}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


def start_and_end(logits: Any) -> dict[str, Any]:
    """(batch, seq, 2) -> the two outputs of (batch, seq). Raises ValueError for other than two"""
    if logits.shape[-1] != 2:
        raise ValueError(
            f"an answer has a start and an end, but this head has {logits.shape[-1]} outputs, one "
            "for each of config.num_labels: that should be 2"
        )
    return {"start_logits": logits[:, :, 0], "end_logits": logits[:, :, 1]}


class ForQuestionAnswering(Head):
    """Start and end of the answer: a Linear, `outputs_name`.

    outputs: of the Linear; None for one for each label, of which a call needs two
    """

    outputs: ClassVar[int | None] = None
    output_class = QuestionAnsweringModelOutput
    targets = ("start_positions", "end_positions")
    outputs_name: ClassVar[str] = "qa_outputs"

    def __init__(self, config: Any):
        super().__init__(config)
        count = config.num_labels if self.outputs is None else self.outputs
        setattr(self, self.outputs_name, Linear(self.width(config), count))

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return start_and_end(getattr(self, self.outputs_name)(self.hidden(state, **inputs)))

    def loss(
        self,
        values: dict[str, Any],
        start_positions: np.ndarray | None = None,
        end_positions: np.ndarray | None = None,
    ) -> dict[str, Any]:
        if start_positions is None or end_positions is None:
            return {}
        ends = values["start_logits"], values["end_logits"]
        return {"loss": span_loss(*ends, start_positions, end_positions)}


class PooledHead(Head):
    """Dropout and a Linear `classifier` on the pooled first token."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.add_pooler(config)
        self.dropout = classifier_dropout(config)
        self.classifier = Linear(config.hidden_size, self.classes(config))

    def add_pooler(self, config: Any) -> None:
        """Set what `pool` needs, where the headless model has no pooler."""

    def pool(self, state: State, **inputs: Any) -> Any:
        """-> (batch, hidden)"""
        return self.base_model.forward(state, **inputs)["pooler_output"]

    def classes(self, config: Any) -> int:
        return config.num_labels

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.classifier(self.dropout(self.pool(state, **inputs)))}


class ForSequenceClassification(PooledHead):
    """Labels of a sequence, from the pooled first token."""

    output_class = SequenceClassifierOutput

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": sequence_loss(self.config, values["logits"], labels)}


class ClassificationHead(Module):
    """Two Linears, `dense` and `out_proj`, with dropout before each and an activation between."""

    def __init__(self, config: Any, act: str = "tanh"):
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.dropout = classifier_dropout(config)
        self.out_proj = Linear(config.hidden_size, config.num_labels)
        self.act = ops.activation(act)

    def __call__(self, x: Any) -> Any:
        """(batch, hidden) -> (batch, labels)"""
        return self.out_proj(self.dropout(self.act(self.dense(self.dropout(x)))))


class FirstTokenForSequenceClassification(Head):
    """Labels of a sequence, from its first token, by a `ClassificationHead`."""

    output_class = SequenceClassifierOutput
    classifier_act: ClassVar[str] = "tanh"

    def __init__(self, config: Any):
        super().__init__(config)
        self.classifier = ClassificationHead(config, self.classifier_act)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.classifier(self.hidden(state, **inputs)[:, 0])}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": sequence_loss(self.config, values["logits"], labels)}


class SequenceSummary(Module):
    """One vector a sequence: that of a chosen token, projected, as the configuration's summary_*
    fields say."""

    def __init__(self, config: Any, classes: int):
        to_labels = getattr(config, "summary_proj_to_labels", False)
        outputs = classes if to_labels else config.hidden_size
        self.kind, self.projects = config.summary_type, config.summary_use_proj
        if self.projects:
            self.summary = Linear(config.hidden_size, outputs)
        self.activation = ops.activation(config.summary_activation or "linear")
        self.first_dropout = Dropout(getattr(config, "summary_first_dropout", 0.0))
        self.last_dropout = Dropout(getattr(config, "summary_last_dropout", 0.0))

    def __call__(self, x: Any, at: np.ndarray | None = None) -> Any:
        """x: (rows, seq, hidden); at: (rows,) the token of "cls_index" -> (rows, classes)"""
        if self.kind == "mean":
            x = ops.mean(x, axis=1)
        elif self.kind == "first":
            x = x[:, 0]
        elif self.kind == "last" or (self.kind == "cls_index" and at is None):
            x = x[:, -1]
        elif self.kind == "cls_index":
            x = x[np.arange(len(at)), at]
        else:
            raise ValueError(f"summary_type {self.kind!r} is none of first, last, mean, cls_index")
        x = self.first_dropout(x)
        return self.last_dropout(self.activation(self.summary(x) if self.projects else x))


def flatten_choices(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make an example's choices rows of the batch. (batch, choices, seq, ...) -> (rows, ...)"""
    return {
        name: x.reshape(-1, *x.shape[2:]) if getattr(x, "ndim", 0) > 2 else x
        for name, x in inputs.items()
    }


class ForMultipleChoice(PooledHead):
    """Which of several continuations fits: inputs are (batch, choices, seq)."""

    output_class = MultipleChoiceModelOutput

    def classes(self, config: Any) -> int:
        return 1

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        logits = super().forward(state, **flatten_choices(inputs))["logits"]
        example: Any = inputs.get("input_ids", inputs.get("inputs_embeds"))
        return {"logits": ops.reshape(logits, shape=(-1, example.shape[1]))}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}
