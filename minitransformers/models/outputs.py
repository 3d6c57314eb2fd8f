"""What models return: records that are read by attribute, key, index or slice.

Axes: loss (); logits (batch, seq, vocab or labels); hidden states (batch, seq, hidden), one for the
embeddings and one a layer; attentions (batch, heads, seq, total), one a layer.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any


class ModelOutput(OrderedDict):
    """A dataclass that is also a dictionary of its fields, without those that are None.

    `output.logits`, `output["logits"]`, `output[0]` and `output[:2]` all work; `to_tuple()` and
    iteration over `to_tuple()` give the values. Subclasses are dataclasses.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(cls)

    def __post_init__(self) -> None:
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        first = getattr(self, names[0])
        if isinstance(first, dict) and all(getattr(self, n) is None for n in names[1:]):
            setattr(self, names[0], None)  # a dictionary alone holds the fields
            for name, value in first.items():
                setattr(self, name, value)
                super().__setitem__(name, value)
            return
        for name in names:
            value = getattr(self, name)
            if value is not None:
                super().__setitem__(name, value)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        return self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.keys() and value is not None:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __delitem__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"fields of a {type(self).__name__} cannot be deleted")

    def setdefault(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `setdefault`")

    def pop(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `pop`")

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} has no `update`")

    def to_tuple(self) -> tuple:
        """The values that are not None, in the order of the fields."""
        return tuple(self[name] for name in self.keys())

    def __reduce__(self) -> Any:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return type(self), tuple(getattr(self, field.name) for field in fields)

    def __eq__(self, other: Any) -> bool:
        return self is other

    __hash__ = object.__hash__


class BaseModelOutput(ModelOutput):
    last_hidden_state: Any = None
    hidden_states: Any = None
    attentions: Any = None


class BaseModelOutputWithPooling(ModelOutput):
    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    attentions: Any = None


class BaseModelOutputWithPast(ModelOutput):
    last_hidden_state: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


class BaseModelOutputWithCrossAttentions(ModelOutput):
    last_hidden_state: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class BaseModelOutputWithPastAndCrossAttentions(ModelOutput):
    last_hidden_state: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    past_key_values: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class CausalLMOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class CausalLMOutputWithPast(ModelOutput):
    loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


class CausalLMOutputWithCrossAttentions(ModelOutput):
    loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class MaskedLMOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class NextSentencePredictorOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class SequenceClassifierOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class SequenceClassifierOutputWithPast(ModelOutput):
    loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


class TokenClassifierOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class MultipleChoiceModelOutput(ModelOutput):
    """logits: (batch, choices)"""

    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class QuestionAnsweringModelOutput(ModelOutput):
    """start_logits, end_logits: (batch, seq)"""

    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class Seq2SeqModelOutput(ModelOutput):
    last_hidden_state: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None


class Seq2SeqLMOutput(ModelOutput):
    loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None


class Seq2SeqSequenceClassifierOutput(Seq2SeqLMOutput):
    """logits: (batch, labels)"""


class Seq2SeqQuestionAnsweringModelOutput(ModelOutput):
    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None
