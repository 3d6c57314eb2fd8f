"""Docstrings of model classes and configurations, from what they declare.

A class says which inputs it takes, what it derives a loss from and what it returns; the shapes of
these are the same everywhere, so they are written once, here.
"""

from __future__ import annotations

import sys
from typing import Any

_TEXT = "(batch, seq)"
# input or target -> axes and meaning; `seq` is `target` in a decoder's inputs
_INPUTS: dict[str, str] = {
    "input_ids": f"{_TEXT} tokens",
    "attention_mask": f"{_TEXT} 1 for what is seen, 0 for padding; after a cache (batch, total)",
    "token_type_ids": f"{_TEXT} to which of two texts a token belongs, 0 or 1",
    "position_ids": f"{_TEXT} the place of each token",
    "head_mask": "(heads,) or (layers, heads) 0 for heads that are left out",
    "cross_attn_head_mask": "(heads,) or (layers, heads) the same, of attention to the source",
    "decoder_head_mask": "(heads,) or (layers, heads) the same, of the decoder",
    "inputs_embeds": "(batch, seq, hidden) in place of input_ids",
    "encoder_hidden_states": "(batch, source, hidden) what a decoder attends to",
    "encoder_attention_mask": "(batch, source) 1 for what of it is seen",
    "past_key_values": "the KVCache of an earlier call",
    "decoder_input_ids": "(batch, target) tokens; derived from labels where it can be",
    "decoder_attention_mask": "(batch, target) 1 for what is seen",
    "decoder_inputs_embeds": "(batch, target, hidden) in place of decoder_input_ids",
    "encoder_outputs": "of an earlier call, so that the encoder need not run again",
    "global_attention_mask": f"{_TEXT} 1 for tokens that see, and are seen by, all",
    "output_router_logits": "whether to return the experts' scores",
    "question_lengths": "(batch,) tokens of each question",
    "mc_token_ids": "(batch, choices) the token each choice is judged by",
    "input_mask": f"{_TEXT} 1 for padding, in place of attention_mask",
    "mems": "hidden states of an earlier call, (length, batch, hidden) a layer",
    "perm_mask": "(batch, seq, seq) 1 where a token does not see another",
    "target_mapping": "(batch, targets, seq) 1 at the place of each token to predict",
    "use_mems": "whether to return `mems`",
    "cls_index": "(batch,) the place of the token that answers whether there is an answer",
    "p_mask": f"{_TEXT} 1 for tokens no answer begins or ends at",
    "g_values": "(batch, seq, depth) the watermark's bit of each token and layer",
    "mask": f"{_TEXT} 1 for tokens that count",
    "labels": f"{_TEXT} the right tokens, -100 for those that do not count",
    "start_positions": "(batch,) the first token of the answer",
    "end_positions": "(batch,) its last token",
    "is_impossible": "(batch,) 1 where there is no answer",
    "sentence_order_label": "(batch,) 1 where the two texts are swapped",
    "next_sentence_label": "(batch,) 1 where the second text does not follow the first",
    "mc_labels": "(batch,) the right choice",
    "loss_batch_weight": "() the weight of the prior",
}
_HIDDEN = "(batch, seq, hidden), one for the embeddings and one a layer"
_ATTENTIONS = "(batch, heads, seq, total), one a layer"
_OUTPUTS: dict[str, str] = {
    "loss": "(), with targets",
    "mc_loss": "(), with mc_labels",
    "logits": "(batch, seq, vocab)",
    "prediction_logits": "(batch, seq, vocab)",
    "mc_logits": "(batch, choices)",
    "sop_logits": "(batch, 2)",
    "seq_relationship_logits": "(batch, 2)",
    "start_logits": _TEXT,
    "end_logits": _TEXT,
    "last_hidden_state": "(batch, seq, hidden)",
    "encoder_last_hidden_state": "(batch, source, hidden)",
    "pooler_output": "(batch, hidden)",
    "hidden_states": _HIDDEN,
    "attentions": _ATTENTIONS,
    "cross_attentions": "(batch, heads, seq, source), one a layer",
    "encoder_hidden_states": "(batch, source, hidden), one for the embeddings and one a layer",
    "encoder_attentions": "(batch, heads, source, source), one a layer",
    "decoder_hidden_states": "(batch, target, hidden), one for the embeddings and one a layer",
    "decoder_attentions": "(batch, heads, target, total), one a layer",
    "past_key_values": "a KVCache",
    "posterior_probabilities": "(batch,)",
}
# part of a class's name -> what its labels and logits are, where that is not of each token
_OF_HEADS: dict[str, dict[str, str]] = {
    "ForSequenceClassification": {
        "labels": "(batch,) classes, or (batch, labels) of a regression or of several classes",
        "logits": "(batch, labels)",
    },
    "ForTokenClassification": {
        "labels": f"{_TEXT} classes, -100 for tokens that do not count",
        "logits": "(batch, seq, labels)",
    },
    "ForMultipleChoice": {"labels": "(batch,) the right choice", "logits": "(batch, choices)"},
    "ForNextSentencePrediction": {
        "labels": "(batch,) 1 where the second text does not follow the first",
        "logits": "(batch, 2)",
    },
    "ForConditionalGeneration": {
        "labels": "(batch, target) the right tokens, -100 for those that do not count",
        "logits": "(batch, target, vocab)",
    },
    "ElectraForPreTraining": {"labels": f"{_TEXT} 1 for tokens replaced", "logits": _TEXT},
    "BayesianDetectorModel": {"labels": "(batch,) 1 for texts with a watermark"},
}
_BY_CHOICE = ("ForMultipleChoice", "DoubleHeadsModel")


def describe_model(cls: Any, root: type) -> None:
    """Complete a model class's docstring by its inputs and outputs.

    root: the class all models stand on. What a class says itself comes first; one that says
    nothing is described by its architecture's file and by its head.
    """
    own = vars(cls).get("__doc__")
    cls._said = own or ""
    told = own or _first_words(cls, root)
    heads = [facts for part, facts in _OF_HEADS.items() if part in cls.__name__]
    axes = {name: text for facts in heads for name, text in facts.items()}
    taken = {name: axes.get(name) or _INPUTS.get(name) for name in (*cls.inputs, *cls.targets)}
    inputs = [f"{name}: {text}" for name, text in taken.items() if text]
    outputs = [
        f"    {name} {text}"
        for name in getattr(cls.output_class, "__dataclass_fields__", {})
        if (text := axes.get(name) or _OUTPUTS.get(name))
    ]
    returned = [f"-> `{cls.output_class.__name__}`, of which hidden_states and the like on request"]
    lines = [*inputs, *returned, *outputs]
    if any(part in cls.__name__ for part in _BY_CHOICE):
        lines = [line.replace("(batch, seq", "(batch, choices, seq") for line in lines]
    cls.__doc__ = "\n".join([told.strip(), "", *lines])


def describe_config(cls: Any) -> None:
    """Complete a configuration's docstring by its fields and their defaults."""
    own = vars(cls)
    fields = [f"{n}: {own[n]!r}" for n in cls.__annotations__ if n in own and n not in _NOT_FIELDS]
    told = vars(cls).get("__doc__") or f"Configuration of {_architecture(cls)}."
    cls.__doc__ = "\n".join(
        [told.strip(), "", "Fields of config.json and their defaults:", *fields]
    )


_NOT_FIELDS = ("model_type", "attribute_map", "keys_to_ignore_at_inference", "is_composition")


def _first_words(cls: Any, root: type) -> str:
    bases = cls.__mro__[1 : cls.__mro__.index(root)] if root in cls.__mro__ else ()
    said = (vars(base).get("_said") or _own_doc(base) for base in bases)
    purpose = next(
        (text.strip().split("\n\n")[0] for text in said if text), "The model without a head."
    )
    return f"{_architecture(cls)}. {purpose}"


def _own_doc(cls: type) -> str:
    return "" if "_said" in vars(cls) else vars(cls).get("__doc__") or ""


def _architecture(cls: Any) -> str:
    """What the file of a class says it holds, up to its first full stop or colon."""
    document = getattr(sys.modules.get(cls.__module__), "__doc__", None) or cls.__name__
    text = " ".join(document.split())
    ends = [i for mark in (". ", ": ") if (i := text.find(mark)) > 0]
    return text[: min(ends, default=len(text))].rstrip(".")
