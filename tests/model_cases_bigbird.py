"""Every head of BigBird, by blocks and with full attention, and of BigBird-Pegasus."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import ENDS, FEW, SOURCE, SOURCE_MASK, STARTS
from model_cases_encoders import LOGITS, padded
from tiny import CONFIGS

FULL = CONFIGS["big_bird"]
SPARSE = FULL | {"attention_type": "block_sparse"}
CROSSED = SPARSE | {"is_decoder": True, "add_cross_attention": True}
# 17 tokens: more than the 14 that full attention is for, and not of whole blocks
IDS = np.random.RandomState(3).randint(3, 37, (3, 17))
IDS[:, 6] = IDS[:, -1] = 2
RIGHT = (np.arange(17) < np.array([[17], [12], [4]])).astype(int)
LEFT = RIGHT[:, ::-1].copy()
HOLES = (np.arange(51).reshape(3, 17) % 5 != 2).astype(int)
TYPES = (np.arange(17) > 6) * np.ones((3, 1), int)
HEADS = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 1.0]], np.float32)


def case(name: str, fields: dict, mask: np.ndarray | None = None, **inputs: Any) -> tuple:
    if mask is not None:
        inputs = {"attention_mask": mask} | inputs
    return (name.split()[0], fields, {"input_ids": IDS} | inputs)


def head(name: str, fields: dict, **given: Any) -> tuple:
    ids = padded(IDS, RIGHT, fields, "big_bird")
    return (name, fields, {"input_ids": ids, "attention_mask": RIGHT} | LOGITS | given)


def heads(fields: dict, how: str) -> dict[str, tuple]:
    labels = np.where(RIGHT == 0, -100, IDS)
    return {
        f"BigBird{name}{how}": head(f"BigBird{name}", fields, **given)
        for name, given in {
            "ForPreTraining": {"labels": labels, "next_sentence_label": FEW % 2},
            "ForMaskedLM": {"labels": labels},
            "ForSequenceClassification": {"labels": FEW % 2},
            "ForTokenClassification": {"labels": labels.clip(-100, 1)},
            "ForQuestionAnswering": {"start_positions": STARTS, "end_positions": ENDS + 5},
            "ForMultipleChoice": {
                "input_ids": np.stack([IDS, IDS[::-1]], axis=1), "attention_mask": None,
                "labels": FEW % 2},
        }.items()
    }  # fmt: skip


def pegasus(name: str, how: str = "block_sparse", **given: Any) -> tuple:
    fields = CONFIGS["bigbird_pegasus"] | {"attention_type": how}
    ids = np.where(RIGHT == 0, 0, IDS)
    ids[:, 3] = 2  # the end, by which a text is classified
    ids[:, 4:][ids[:, 4:] == 2] = 5
    return (f"BigBirdPegasus{name}", fields,
            {"input_ids": ids, "attention_mask": RIGHT} | LOGITS | given)  # fmt: skip


CASES: dict[str, tuple[str, dict, dict]] = {
    "BigBirdModel": case("BigBirdModel", SPARSE),
    "BigBirdModel right": case("BigBirdModel", SPARSE, RIGHT),
    "BigBirdModel left": case("BigBirdModel", SPARSE, LEFT),
    "BigBirdModel holes": case("BigBirdModel", SPARSE, HOLES, token_type_ids=TYPES),
    "BigBirdModel of whole blocks": case("BigBirdModel", SPARSE, input_ids=IDS[:, :16]),
    "BigBirdModel of other blocks": case(
        "BigBirdModel", SPARSE | {"block_size": 1, "num_random_blocks": 3, "use_bias": False,
                                  "rescale_embeddings": True}, RIGHT),
    "BigBirdModel with positions": case(
        "BigBirdModel", SPARSE, position_ids=np.arange(17)[None] + 2),
    "BigBirdModel embedded": case(
        "BigBirdModel", SPARSE, input_ids=None,
        inputs_embeds=np.random.RandomState(4).standard_normal((3, 17, 12)).astype(np.float32)),
    "BigBirdModel masks heads by blocks": case("BigBirdModel", SPARSE, head_mask=HEADS),
    "BigBirdModel masks heads": case("BigBirdModel", FULL, head_mask=HEADS),
    "BigBirdModel too short for blocks": case("BigBirdModel", SPARSE, input_ids=IDS[:, :14]),
    "BigBirdModel full": case("BigBirdModel", FULL, HOLES, token_type_ids=TYPES),
    **heads(SPARSE, ""),
    **heads(FULL, " full"),
    "BigBirdForQuestionAnswering lengths": case(
        "BigBirdForQuestionAnswering", SPARSE, question_lengths=np.array([[3], [17], [0]])),
    "BigBirdForQuestionAnswering types": case(
        "BigBirdForQuestionAnswering", SPARSE, token_type_ids=TYPES),
    "BigBirdForPreTraining tokens only": head("BigBirdForPreTraining", SPARSE, labels=IDS),
    "BigBirdForCausalLM": head("BigBirdForCausalLM", FULL | {"is_decoder": True}, labels=IDS),
    "BigBirdForCausalLM crossed": case(
        "BigBirdForCausalLM", CROSSED, labels=IDS, head_mask=HEADS, encoder_hidden_states=SOURCE,
        encoder_attention_mask=SOURCE_MASK, use_cache=False),
    "BigBirdForCausalLM without a source": head("BigBirdForCausalLM", CROSSED, use_cache=False,
                                                output_attentions=False),
    "BigBirdPegasusModel": case(
        "BigBirdPegasusModel", pegasus("Model")[1], HOLES, decoder_input_ids=IDS[:, 2:5]),
    "BigBirdPegasusModel full": pegasus("Model", "original_full", head_mask=HEADS),
    # whose mask the reference forgets
    "BigBirdPegasusModel too short for blocks": pegasus(
        "Model", input_ids=IDS[:, :9], attention_mask=RIGHT[:, :9], head_mask=HEADS),
    "BigBirdPegasusForConditionalGeneration": pegasus(
        "ForConditionalGeneration", labels=IDS[:, 3:8]),
    "BigBirdPegasusForSequenceClassification": pegasus(
        "ForSequenceClassification", labels=FEW % 2),
    "BigBirdPegasusForQuestionAnswering": pegasus(
        "ForQuestionAnswering", start_positions=STARTS, end_positions=ENDS + 5),
    "BigBirdPegasusForCausalLM": pegasus("ForCausalLM", labels=IDS),
}  # fmt: skip
