"""Every head of XLNet, which reads in permuted order; like model_cases.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import CHOICES, ENDS, FEW, HOLES, IDS, LABELS, LEFT, RIGHT, STARTS, TYPES, masked
from model_cases_encoders import LOGITS
from tiny import CONFIGS

XLNET = CONFIGS["xlnet"]
DRAWN = np.random.RandomState(7)
MEMS = DRAWN.standard_normal((2, 3, 3, 12)).astype(np.float32)  # (layers, past, batch, hidden)
# each token sees those that come earlier in an order of its row's own
ORDERS = np.stack([DRAWN.permutation(6) for _ in range(3)])
PERMUTED = (ORDERS[:, :, None] <= ORDERS[:, None, :]).astype(np.float32)
TARGETS = np.eye(6, dtype=np.float32)[[[5, 2], [0, 1], [3, 3]]]
BLENDED = np.abs(DRAWN.standard_normal((3, 2, 6))).astype(np.float32)
SPANS = {"start_positions": STARTS % 6, "end_positions": ENDS}
CLASSES = {"cls_index": np.array([5, 0, 2]), "p_mask": np.float32((TYPES == 0) * HOLES)}


def xlnet(name: str, fields: dict | None = None, **inputs: Any) -> dict[str, tuple]:
    return {f"XLNet {name}": (name.split()[0], XLNET | (fields or {}), {"input_ids": IDS} | inputs)}


def streams(name: str, fields: dict | None = None, **inputs: Any) -> dict[str, tuple]:
    return xlnet(name, fields, perm_mask=PERMUTED, target_mapping=TARGETS, **inputs)


CASES: dict[str, tuple[str, dict, dict]] = {
    **masked("XLNetModel", XLNET, input_ids=IDS, token_type_ids=TYPES),
    **xlnet("XLNetModel input_mask", input_mask=1 - LEFT),
    **xlnet("XLNetModel mems", mems=MEMS, attention_mask=LEFT, token_type_ids=TYPES),
    **xlnet("XLNetModel mem_len", {"mem_len": 4, "reuse_len": 2}, mems=MEMS),
    **xlnet("XLNetModel no mems", use_mems=False),
    **xlnet("XLNetModel keeps all mems", {"mem_len": None, "use_mems_eval": False}, mems=MEMS,
            use_mems=True),
    **xlnet("XLNetModel clamp_len", {"clamp_len": 2}, mems=MEMS),
    **xlnet("XLNetModel bi_data", {"bi_data": True}, input_ids=IDS[:2]),
    **xlnet("XLNetModel uni", {"attn_type": "uni"}, mems=MEMS),
    **xlnet("XLNetModel same_length", {"attn_type": "uni", "same_length": True}, mems=MEMS),
    **xlnet("XLNetModel perm_mask", perm_mask=PERMUTED),
    **xlnet("XLNetModel head_mask", head_mask=np.float32([[1, 0, 0.5], [0, 1, 2]])),
    **streams("XLNetModel streams", token_type_ids=TYPES),
    **streams("XLNetModel streams, mems", mems=MEMS, attention_mask=LEFT),
    **xlnet("XLNetModel blended", target_mapping=BLENDED),
    **xlnet("XLNetLMHeadModel", labels=LABELS),
    **streams("XLNetLMHeadModel streams", labels=IDS[:, :2], mems=MEMS),
    **masked("XLNetForSequenceClassification", XLNET | {"num_labels": 3}, input_ids=IDS,
             labels=FEW, **LOGITS),
    **xlnet("XLNetForSequenceClassification mean", {"summary_type": "mean"}, labels=FEW % 2),
    **xlnet("XLNetForSequenceClassification first", {
        "summary_type": "first", "summary_use_proj": False, "num_labels": 1,
        "summary_activation": None}, labels=np.float32([0.5, -1.0, 2.0])),
    **xlnet("XLNetForTokenClassification", {"num_labels": 13}, labels=np.minimum(LABELS, 12)),
    **xlnet("XLNetForMultipleChoice", input_ids=CHOICES, labels=FEW % 2, perm_mask=np.concatenate(
        [PERMUTED, PERMUTED]), attention_mask=np.stack([LEFT, RIGHT], axis=1)),
    **xlnet("XLNetForQuestionAnsweringSimple", start_positions=STARTS, end_positions=ENDS),
    **xlnet("XLNetForQuestionAnswering", attention_mask=LEFT),
    **xlnet("XLNetForQuestionAnswering masked", **CLASSES),
    **xlnet("XLNetForQuestionAnswering start", start_positions=FEW),
    **xlnet("XLNetForQuestionAnswering loss", **SPANS),
    **xlnet("XLNetForQuestionAnswering all losses", is_impossible=np.float32([1, 0, 1]),
            **SPANS, **CLASSES),
}  # fmt: skip
