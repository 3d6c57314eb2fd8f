"""Models with fewer heads, built from their names as tiny.py says, and what they are asked."""

from __future__ import annotations

import numpy as np

IDS = np.array([[5, 6, 7, 8, 9, 3], [4, 4, 30, 2, 11, 12]])
PRUNED: dict[int, list[int]] = {0: [1], 1: [0, 2]}
# no masked language models with two names for their bias: the reference loses it when it loads them
NAMES = (
    "BertModel",
    "BertForMaskedLM",
    "RobertaForCausalLM",
    "XLMRobertaForTokenClassification",
    "CamembertModel",
    "ElectraForPreTraining",
    "DistilBertForQuestionAnswering",
    "AlbertForSequenceClassification",
    "MobileBertForMaskedLM",
    "EsmModel",
    "GPT2LMHeadModel",
    "GPT2DoubleHeadsModel",
    "OpenAIGPTLMHeadModel",
)


def heads_of(model) -> dict[int, list[int]]:
    """The heads to leave out of a model: one has two layers of two heads only."""
    return {0: [1]} if model.config.num_attention_heads < 3 else PRUNED
