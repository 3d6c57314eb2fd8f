"""Every head of the encoders beside BERT; like model_cases.py, with padding tokens in the ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import ENDS, FEW, HOLES, IDS, LABELS, LEFT, RIGHT, STARTS, TYPES
from tiny import CONFIGS

import minitransformers
from minitransformers.models.auto import config_class

MASKS = {" left": LEFT, " right": RIGHT, " holes": HOLES}
LOGITS = {"output_hidden_states": False, "output_attentions": False}
SEEN = np.where(RIGHT == 0, -100, LABELS)  # what stands at padding differs, and is never asked
TARGETS: dict[str, tuple[dict, dict]] = {
    "MaskedLM": ({}, {"labels": SEEN}),
    "CausalLM": ({"is_decoder": True}, {"labels": SEEN}),
    "SequenceClassification": ({"num_labels": 3}, {"labels": FEW}),
    "TokenClassification": ({"num_labels": 3}, {"labels": np.where(SEEN < 0, -100, SEEN % 3)}),
    "QuestionAnswering": ({}, {"start_positions": STARTS, "end_positions": ENDS}),
}


def padded(ids: np.ndarray, mask: np.ndarray, fields: dict, kind: str) -> np.ndarray:
    """The pad token where the mask is 0."""
    pad = config_class(kind)(**fields).pad_token_id
    return np.where(mask == 0, 0 if pad is None else pad, ids)


def encoder(kind: str, prefix: str, masks: dict = MASKS, **changes: Any) -> dict[str, tuple]:
    """The headless model with every kind of padding, and each common head with one."""
    fields = CONFIGS[kind] | changes
    title = prefix + "".join(f" {name}={value}" for name, value in changes.items())
    cases: dict[str, tuple] = {}
    for how, mask in masks.items():
        inputs = {"input_ids": padded(IDS, mask, fields, kind), "attention_mask": mask}
        cases[f"{title}Model{how}"] = (f"{prefix}Model", fields, inputs)
    if changes:
        return cases
    inputs = {"input_ids": padded(IDS, RIGHT, fields, kind), "attention_mask": RIGHT} | LOGITS
    for head, (extra, targets) in TARGETS.items():
        if hasattr(minitransformers, name := f"{prefix}For{head}"):
            cases[name] = (name, fields | extra, inputs | targets)
    if hasattr(minitransformers, name := f"{prefix}ForMultipleChoice"):
        both = np.stack([RIGHT, RIGHT[::-1]], axis=1)
        ids = padded(np.stack([IDS, IDS[::-1]], axis=1), both, fields, kind)
        cases[name] = (name, fields, {
            "input_ids": ids, "attention_mask": both, "labels": FEW % 2} | LOGITS)  # fmt: skip
    return cases


def pretraining(kind: str, name: str, **more: Any) -> dict[str, tuple]:
    fields = CONFIGS[kind]
    inputs = {"input_ids": padded(IDS, RIGHT, fields, kind), "attention_mask": RIGHT}
    return {name: (name, fields, inputs | LOGITS | more)}


BERT = CONFIGS["bert"]
CASES: dict[str, tuple[str, dict, dict]] = {
    **encoder("bert", "Bert", {" left": LEFT}, position_embedding_type="relative_key"),
    **encoder("bert", "Bert", {" left": LEFT}, position_embedding_type="relative_key_query"),
    **encoder("distilbert", "DistilBert"),
    **encoder("roberta", "Roberta"),
    "RobertaModel embeddings": ("RobertaModel", CONFIGS["roberta"], {
        "inputs_embeds": np.random.RandomState(3).standard_normal((2, 5, 12)).astype(np.float32),
        "token_type_ids": TYPES[:2, :5]}),
    **encoder("xlm-roberta", "XLMRoberta", {" left": LEFT}),
    **encoder("camembert", "Camembert", {" left": LEFT}),
    **encoder("mpnet", "MPNet"),
    **encoder("albert", "Albert"),
    **encoder("albert", "Albert", {" left": LEFT}, inner_group_num=2),
    **pretraining("albert", "AlbertForPreTraining", labels=LABELS, sentence_order_label=FEW % 2),
    **encoder("electra", "Electra"),
    **encoder("electra", "Electra", {" left": LEFT}, embedding_size=12),
    **pretraining("electra", "ElectraForPreTraining", labels=IDS % 2),
    **encoder("deberta-v2", "DebertaV2"),
    **encoder("deberta-v2", "DebertaV2", {" left": LEFT}, conv_kernel_size=3, share_att_key=False,
              max_relative_positions=4, position_buckets=-1, type_vocab_size=2,
              position_biased_input=True),
    **encoder("deberta", "Deberta"),
    **encoder("deberta", "Deberta", {" left": LEFT}, max_relative_positions=4, pos_att_type="c2p",
              embedding_size=8),
    **encoder("esm", "Esm"),
    **encoder("esm", "Esm", {" left": LEFT}, position_embedding_type="absolute",
              emb_layer_norm_before=True),
    **encoder("convbert", "ConvBert"),
    **encoder("convbert", "ConvBert", {" left": LEFT}, num_groups=2, embedding_size=12),
    **encoder("mobilebert", "MobileBert"),
    **encoder("mobilebert", "MobileBert", {" left": LEFT}, use_bottleneck=False),
    **encoder("mobilebert", "MobileBert", {" left": LEFT}, normalization_type="layer_norm",
              trigram_input=False, use_bottleneck_attention=True, classifier_activation=False),
    **pretraining("mobilebert", "MobileBertForPreTraining", labels=LABELS,
                  next_sentence_label=FEW % 2),
    **pretraining("mobilebert", "MobileBertForNextSentencePrediction", labels=FEW % 2),
    # whose attentions in the reference are scores, not probabilities
    **{case: (name, fields, inputs | {"output_attentions": False})
       for case, (name, fields, inputs) in encoder("squeezebert", "SqueezeBert").items()},
    **{case: (name, fields, {k: v for k, v in inputs.items()
                             if k not in ("attention_mask", "output_attentions")})
       for case, (name, fields, inputs) in (
           encoder("fnet", "FNet", {" right": RIGHT})
           | pretraining("fnet", "FNetForPreTraining", labels=LABELS, next_sentence_label=FEW % 2)
           | pretraining("fnet", "FNetForNextSentencePrediction", labels=FEW % 2)).items()},
}  # fmt: skip
