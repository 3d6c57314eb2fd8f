"""Every head of the models for long texts; like model_cases.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import ENDS, FEW, IDS, STARTS
from model_cases_encoders import LOGITS, padded
from model_cases_seq2seq import REPLIES, SENTENCES
from tiny import CONFIGS

GLOBAL = np.array([[1, 0, 0, 0, 0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0] * 10])
LONG = np.concatenate([IDS, IDS[::-1, :4] + 9], axis=1)
RIGHT = np.array([[1] * 10, [1] * 8 + [0] * 2, [1] * 3 + [0] * 7])
ASKED = np.array([[4, 5, 2, 2, 6, 7, 8, 9, 2, 11], [4, 2, 2, 7, 8, 9, 2, 11, 12, 13]])


def sparse(kind: str, prefix: str) -> dict[str, tuple]:
    fields = CONFIGS[kind]
    ids = padded(LONG, RIGHT, fields, kind)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": RIGHT} | LOGITS
    labels = np.where(RIGHT == 0, -100, np.minimum(ids, 36))
    some = {"global_attention_mask": GLOBAL}
    cases = {
        f"{prefix}Model": {"input_ids": LONG},
        # of a length that the reference need not pad, which shows in its global_attentions
        f"{prefix}Model global": {
            "input_ids": LONG[:, :8], "global_attention_mask": GLOBAL[:, :8]},
        f"{prefix}Model right": inputs,
        f"{prefix}Model right, global": inputs | some,
        f"{prefix}Model left": inputs | some | {
            "input_ids": ids[:, ::-1].copy(), "attention_mask": RIGHT[:, ::-1].copy()},
        f"{prefix}ForMaskedLM": inputs | some | {"labels": labels},
        f"{prefix}ForSequenceClassification": inputs | {"labels": FEW % 2},
        f"{prefix}ForTokenClassification": inputs | some | {"labels": labels.clip(-100, 1)},
        f"{prefix}ForQuestionAnswering": LOGITS | {
            "input_ids": ASKED, "start_positions": STARTS[:2], "end_positions": ENDS[:2]},
        f"{prefix}ForMultipleChoice": LOGITS | {
            "input_ids": np.stack([ASKED, ASKED], axis=1), "labels": FEW[:2] % 2},
    }  # fmt: skip
    return {case: (case.split()[0], fields, given) for case, given in cases.items()}


def led(name: str, **given: Any) -> dict[str, tuple]:
    ids = padded(SENTENCES, SENTENCES != 0, CONFIGS["led"], "led")
    inputs = {"input_ids": ids, "attention_mask": (SENTENCES != 0) * 1} | LOGITS
    return {name: (name.split()[0], CONFIGS["led"], inputs | given)}


CASES: dict[str, tuple[str, dict, dict]] = {
    **sparse("longformer", "Longformer"),
    "LEDModel": ("LEDModel", CONFIGS["led"], {
        "input_ids": LONG[:, :8], "global_attention_mask": GLOBAL[:, :8],
        "decoder_input_ids": LONG[:, 3:7]}),
    **led("LEDModel decodes its input", global_attention_mask=GLOBAL[:, :6]),
    **led("LEDForConditionalGeneration", labels=REPLIES, global_attention_mask=GLOBAL[:, :6]),
    **led("LEDForSequenceClassification", labels=FEW % 2),
    **led("LEDForQuestionAnswering", start_positions=STARTS, end_positions=ENDS),
}  # fmt: skip
