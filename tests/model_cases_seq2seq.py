"""Every head of the encoder-decoders beside T5; like model_cases.py, with padding in the ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import ENDS, FEW, IDS, LABELS, LEFT, RIGHT, STARTS
from model_cases_encoders import LOGITS, padded
from tiny import CONFIGS

import minitransformers

TARGETS = {
    "SequenceClassification": ({"num_labels": 3}, {"labels": FEW}),
    "TokenClassification": ({"num_labels": 3}, {"labels": LABELS % 3}),
    "QuestionAnswering": ({}, {"start_positions": STARTS, "end_positions": ENDS}),
}
SENTENCES = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 2, 0, 0], [14, 2, 0, 0, 0, 0]])
REPLIES = np.array([[6, 9, 7, 8, 2], [4, 12, 13, 2, -100], [2, -100, -100, -100, -100]])


def seq2seq(kind: str, prefix: str, generator: str = "", **changes: Any) -> dict[str, tuple]:
    """The headless model with padding on either side, and each head with one of them."""
    fields = CONFIGS[kind] | changes
    title = " ".join(f"{name}={value}" for name, value in changes.items())
    cases: dict[str, tuple] = {}
    for how, mask in {"left": LEFT, "right": RIGHT}.items():
        ids = padded(IDS, mask, fields, kind)
        inputs = {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids[[2, 1, 0], :4]}
        cases[f"{prefix}Model {title} {how}"] = (f"{prefix}Model", fields, inputs)
    ids = padded(SENTENCES, SENTENCES != 0, fields, kind)
    inputs = {"input_ids": ids, "attention_mask": (SENTENCES != 0) * 1} | LOGITS
    name = generator or f"{prefix}ForConditionalGeneration"
    cases[f"{name} {title}"] = (name, fields, inputs | {"labels": REPLIES})
    if changes:
        return cases
    for head, (extra, targets) in TARGETS.items():
        if hasattr(minitransformers, name := f"{prefix}For{head}"):
            cases[name] = (name, fields | extra, inputs | targets)
    if hasattr(minitransformers, name := f"{prefix}ForCausalLM"):
        source = np.random.RandomState(5).standard_normal((3, 4, 12)).astype(np.float32)
        cases[name] = (name, fields, {
            "input_ids": ids, "attention_mask": (SENTENCES != 0) * 1,
            "labels": np.where(SENTENCES == 0, -100, ids)})  # fmt: skip
        cases[f"{name} with a source"] = (name, fields, {
            "input_ids": IDS, "encoder_hidden_states": source} | LOGITS)  # fmt: skip
    if hasattr(minitransformers, name := f"{prefix}EncoderModel"):
        cases[name] = (name, fields, inputs)
    return cases


PAIR = CONFIGS["encoder-decoder"]
BERT = PAIR["encoder"]
CASES: dict[str, tuple[str, dict, dict]] = {
    **seq2seq("bart", "Bart"),
    "BartModel decodes its input": ("BartModel", CONFIGS["bart"], {"input_ids": IDS}),
    **seq2seq("mbart", "MBart"),
    "MBartModel decodes its input": ("MBartModel", CONFIGS["mbart"], {"input_ids": IDS}),
    **seq2seq("marian", "Marian", "MarianMTModel"),
    **seq2seq("marian", "Marian", "MarianMTModel", share_encoder_decoder_embeddings=False),
    **seq2seq("pegasus", "Pegasus"),
    **seq2seq("m2m_100", "M2M100"),
    **seq2seq("blenderbot", "Blenderbot"),
    **seq2seq("blenderbot-small", "BlenderbotSmall"),
    **seq2seq("umt5", "UMT5"),
    "BERT to GPT-2": ("EncoderDecoderModel", PAIR, {
        "input_ids": IDS, "attention_mask": RIGHT, "decoder_input_ids": IDS[:, :4]}),
    "BERT to BERT": ("EncoderDecoderModel", PAIR | {
        "decoder": BERT | {"is_decoder": True, "add_cross_attention": True}}, {
        "input_ids": IDS, "labels": REPLIES} | LOGITS),
}  # fmt: skip
