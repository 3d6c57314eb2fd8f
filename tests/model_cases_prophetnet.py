"""Every head of ProphetNet, whose decoder has streams that predict; like model_cases.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import HOLES, IDS, RIGHT
from model_cases_encoders import LOGITS
from model_cases_seq2seq import REPLIES, seq2seq
from tiny import CONFIGS


def prophetnet(name: str, fields: dict | None = None, **inputs: Any) -> dict[str, tuple]:
    fields = CONFIGS["prophetnet"] | (fields or {})
    return {f"ProphetNet{name}": (f"ProphetNet{name.split()[0]}", fields, inputs)}


def generator(name: str, **fields: Any) -> dict[str, tuple]:
    inputs = {"input_ids": IDS, "labels": REPLIES} | LOGITS
    return prophetnet(f"ForConditionalGeneration {name}", fields, **inputs)


CASES: dict[str, tuple[str, dict, dict]] = {
    **seq2seq("prophetnet", "ProphetNet"),
    # without a source, the reference's cross_attentions are a tuple of None
    **prophetnet("ForCausalLM", input_ids=IDS, attention_mask=RIGHT, output_attentions=False,
                 labels=np.where(RIGHT == 0, -100, IDS)),
    **prophetnet("Model decoder mask", input_ids=IDS, decoder_input_ids=IDS[:, :4],
                 decoder_attention_mask=RIGHT[:, :4], attention_mask=HOLES),
    **prophetnet("Model head masks", input_ids=IDS, decoder_input_ids=IDS[:, :4],
                 head_mask=np.float32([[1, 0, 0.5], [0, 1, 2]]),
                 decoder_head_mask=np.float32([[1, 0], [0, 1], [0.5, 2]]),
                 cross_attn_head_mask=np.float32([[0, 1], [0.5, 2], [1, 0]])),
    **prophetnet("Encoder", input_ids=IDS, attention_mask=RIGHT),
    **prophetnet("Encoder beyond its positions", {"max_position_embeddings": 5}, input_ids=IDS,
                 **LOGITS),
    **prophetnet("Decoder", {"ngram": 3}, input_ids=IDS, attention_mask=RIGHT, **LOGITS),
    **prophetnet("Decoder alone", {"add_cross_attention": False}, input_ids=IDS),
    **generator("one stream", ngram=1),
    **generator("three streams", ngram=3),
    **generator("smoothed", eps=0.1),
    **generator("one loss", eps=0.1, ngram=3, disable_ngram_loss=True),
    **generator("another pad", pad_token_id=3, tie_word_embeddings=False),
}  # fmt: skip
