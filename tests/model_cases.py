"""The calls whose answers tests/golden/models.npz holds: every head, with and without padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny import CONFIGS

IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2], [14, 15, 16, 17, 18, 2]])
LEFT = np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1]])
RIGHT = LEFT[:, ::-1].copy()
HOLES = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 1, 0]])
LABELS = np.where(IDS > 12, -100, IDS)
TYPES = np.array([[0, 0, 0, 1, 1, 1]] * 3)
FEW = np.array([0, 2, 1])
STARTS, ENDS = np.array([0, 3, 99]), np.array([2, 4, 5])

BERT, GPT2, T5 = CONFIGS["bert"], CONFIGS["gpt2"], CONFIGS["t5"]
FLAN = T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
CHOICES = np.stack([IDS, IDS[::-1]], axis=1)
SOURCE = np.random.RandomState(5).standard_normal((3, 4, 12)).astype(np.float32)
SOURCE_MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])


def masked(name: str, fields: dict, *, holes: bool = True, **inputs: Any) -> dict[str, tuple]:
    """A case without padding, and one for each kind of mask."""
    masks = {"": None, " left": LEFT, " right": RIGHT} | ({" holes": HOLES} if holes else {})
    return {
        f"{name}{how}": (
            name,
            fields,
            inputs | ({} if mask is None else {"attention_mask": mask}),
        )
        for how, mask in masks.items()
    }


CASES: dict[str, tuple[str, dict, dict]] = {
    **masked("GPT2Model", GPT2, input_ids=IDS),
    **masked("GPT2LMHeadModel", GPT2, input_ids=IDS, labels=LABELS),
    **masked("GPT2ForSequenceClassification", GPT2 | {"num_labels": 3}, input_ids=IDS, labels=FEW),
    **masked("GPT2ForTokenClassification", GPT2 | {"num_labels": 13}, input_ids=IDS,
             labels=np.minimum(IDS, 12)),
    **masked("GPT2ForQuestionAnswering", GPT2, input_ids=IDS, start_positions=STARTS,
             end_positions=ENDS),
    "GPT2DoubleHeadsModel": ("GPT2DoubleHeadsModel", GPT2, {
        "input_ids": CHOICES, "mc_token_ids": np.array([[1, 2], [3, 4], [5, 0]]),
        "labels": np.stack([LABELS, LABELS], axis=1), "mc_labels": FEW % 2}),
    "GPT2 token types, positions": ("GPT2LMHeadModel", GPT2, {
        "input_ids": IDS, "token_type_ids": TYPES, "position_ids": np.arange(6)[None] + 3}),
    "GPT2 other scales": ("GPT2LMHeadModel", GPT2 | {
        "scale_attn_by_inverse_layer_idx": True, "n_inner": 20, "activation_function": "relu"},
        {"input_ids": IDS}),
    "GPT2 cross-attention": ("GPT2LMHeadModel", GPT2 | {"add_cross_attention": True}, {
        "input_ids": IDS, "encoder_hidden_states": SOURCE, "encoder_attention_mask": SOURCE_MASK}),
    **masked("BertModel", BERT, input_ids=IDS, token_type_ids=TYPES),
    "BertModel 3-D mask": ("BertModel", BERT, {
        "input_ids": IDS, "attention_mask": np.tril(np.ones((3, 6, 6), int))}),
    "BertModel decoder": ("BertModel", BERT | {"is_decoder": True, "add_cross_attention": True}, {
        "input_ids": IDS, "encoder_hidden_states": SOURCE, "encoder_attention_mask": SOURCE_MASK}),
    **masked("BertForPreTraining", BERT, input_ids=IDS, labels=LABELS, next_sentence_label=FEW % 2),
    **masked("BertForMaskedLM", BERT, input_ids=IDS, labels=LABELS),
    **masked("BertLMHeadModel", BERT | {"is_decoder": True}, input_ids=IDS, labels=LABELS),
    **masked("BertForNextSentencePrediction", BERT, input_ids=IDS, labels=FEW % 2),
    **masked("BertForSequenceClassification", BERT | {"num_labels": 3}, input_ids=IDS, labels=FEW),
    "BERT regression": ("BertForSequenceClassification", BERT | {"num_labels": 1}, {
        "input_ids": IDS, "labels": np.array([0.5, -1.0, 2.0], np.float32)}),
    "BERT several labels": ("BertForSequenceClassification", BERT | {"num_labels": 2}, {
        "input_ids": IDS, "labels": np.array([[1, 0], [1, 1], [0, 0]], np.float32)}),
    "BertForMultipleChoice": ("BertForMultipleChoice", BERT, {
        "input_ids": CHOICES, "attention_mask": np.stack([LEFT, RIGHT], axis=1),
        "labels": FEW % 2}),
    **masked("BertForTokenClassification", BERT | {"num_labels": 13}, input_ids=IDS, labels=LABELS),
    **masked("BertForQuestionAnswering", BERT, input_ids=IDS, start_positions=STARTS,
             end_positions=ENDS),
    **masked("T5Model", T5, input_ids=IDS, decoder_input_ids=IDS[:, :4]),
    **masked("T5ForConditionalGeneration", T5, input_ids=IDS, labels=LABELS[:, :5]),
    "FLAN-T5": ("T5ForConditionalGeneration", FLAN, {
        "input_ids": IDS, "attention_mask": RIGHT, "labels": LABELS[:, :5]}),
    "T5 decoder mask": ("T5ForConditionalGeneration", T5, {
        "input_ids": IDS, "decoder_input_ids": IDS, "decoder_attention_mask": RIGHT}),
    **masked("T5EncoderModel", T5, input_ids=IDS),
    **masked("T5ForSequenceClassification", T5 | {"num_labels": 3}, input_ids=IDS, labels=FEW),
    **masked("T5ForTokenClassification", T5 | {"num_labels": 13}, input_ids=IDS, labels=LABELS),
    **masked("T5ForQuestionAnswering", T5, input_ids=IDS, start_positions=STARTS,
             end_positions=ENDS),
    **masked("MT5ForConditionalGeneration", CONFIGS["mt5"], holes=False, input_ids=IDS,
             labels=LABELS[:, :5]),
    "MT5ForSequenceClassification": ("MT5ForSequenceClassification", CONFIGS["mt5"], {
        "input_ids": IDS}),
    "MT5ForTokenClassification": ("MT5ForTokenClassification", CONFIGS["mt5"], {"input_ids": IDS}),
    "MT5ForQuestionAnswering": ("MT5ForQuestionAnswering", CONFIGS["mt5"], {"input_ids": IDS}),
}  # fmt: skip


def answers(output: Any) -> dict[str, Any]:
    """What a golden keeps of an output: its arrays, and of each tuple the last one."""
    kept = {}
    for field, value in output.items():
        if field == "past_key_values":
            kept[field] = value[len(value) - 1][0]
        else:
            kept[field] = value[-1] if isinstance(value, tuple) else value
    return kept


def padded_rows(x: np.ndarray, inputs: dict) -> np.ndarray:
    """Zeros where a query is padding, which attends to anything: implementations differ there."""
    mask = inputs.get("attention_mask")
    mask = None if mask is None else mask.astype(np.float32)
    if mask is None or mask.ndim != 2 or "decoder_input_ids" in inputs or x.ndim < 3:
        return x
    if x.ndim == 4 and x.shape[2] == mask.shape[1]:  # attentions, keys (batch, heads, seq, ...)
        return x * mask[:, None, :, None]
    if x.ndim == 3 and x.shape[:2] == mask.shape:  # hidden states, logits of tokens
        return x * mask[:, :, None]
    return x


def keeps_attentions(name: str, inputs: dict) -> bool:
    """Whether the case asks for attentions. The reference then computes padded GPT-2 another way,
    in which a query that sees nothing sees other nothing than by default, and adds ALiBi twice to
    Falcon's scores."""
    return not (name.startswith(("GPT2", "FalconModel")) and "attention_mask" in inputs)


def options(name: str, inputs: dict) -> dict[str, Any]:
    """The keywords of the call: everything is asked for, unless the case says otherwise."""
    kept = {"output_hidden_states": True, "output_attentions": keeps_attentions(name, inputs)}
    if name.startswith("FNet"):  # there is no attention
        del kept["output_attentions"]
    return kept | inputs
