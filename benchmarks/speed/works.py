"""What is timed: each work is a model, the arguments of one call, and what must be reached."""

from __future__ import annotations

import random
from typing import Any, NamedTuple


class Work(NamedTuple):
    """One row of the table.

    title: for people; model: a key of checkpoints.MODELS
    task: "generate", "forward", "encode" or "train": one step of AdamW, with dropout
    shape: (rows, tokens) of the input; new: tokens to generate
    options: further arguments of generate
    target: the least wanted ratio to torch + transformers, None for none
    kind: "float32", "bfloat16", "int8" or "int4" weights; "trained" ones are float32 as well
    against: the rival the target is of: "torch", or a work of our own by key
    callers: threads that make the same call at once, as a server's do; of the same model
    """

    title: str
    model: str
    task: str
    shape: tuple[int, int]
    new: int = 0
    options: dict[str, Any] = {}
    target: float | None = None
    kind: str = "float32"
    against: str = "torch"
    callers: int = 1


WORKS = {
    "decode-1": Work("GPT-2, decode 40 tokens, 1 row", "gpt2", "generate", (1, 8), 40, {}, 1.3),
    "decode-8": Work("the same, 8 rows", "gpt2", "generate", (8, 8), 40, {}, 1.4),
    "decode-32": Work("the same, 32 rows", "gpt2", "generate", (32, 8), 20, {}, 1.4),
    "callers-2": Work(
        "the same, 8 rows each of two threads at once", "gpt2", "generate", (8, 8), 20, callers=2
    ),
    "beam-5": Work(
        "the same, beam search of 5", "gpt2", "generate", (1, 8), 20, {"num_beams": 5}, 1.4
    ),
    "prefill": Work("GPT-2, first token after 512", "gpt2", "generate", (1, 512), 1, {}, 1.1),
    "bert-1x16": Work("BERT-base, 1 x 16", "bert", "forward", (1, 16), target=1.1),
    "bert-1x128": Work("BERT-base, 1 x 128", "bert", "forward", (1, 128), target=1.1),
    "bert-16x128": Work("BERT-base, 16 x 128", "bert", "forward", (16, 128), target=1.1),
    "t5-encode": Work("T5-small, encode 8 x 64", "t5", "encode", (8, 64), target=1.1),
    "t5-decode": Work("T5-small, 32 tokens of 1 x 64", "t5", "generate", (1, 64), 32, {}, 1.1),
    "llama-1": Work("Llama of 135M, decode 40 tokens", "llama", "generate", (1, 8), 40, {}, 1.3),
    "llama-512": Work("the same, first token after 512", "llama", "generate", (1, 512), 1, {}, 1.1),
    "bfloat16-1": Work(
        "the same in bfloat16, decode 40 tokens", "llama", "generate", (1, 8), 40, {}, None,
        "bfloat16", "llama-1",
    ),
    "int8-1": Work(
        "GPT-2 in 8 bits, 1 row", "gpt2", "generate", (1, 8), 40, {}, 1.0, "int8", "decode-1"
    ),
    "int8-8": Work(
        "the same, 8 rows", "gpt2", "generate", (8, 8), 40, {}, 1.2, "int8", "decode-8"
    ),
    "int4-1": Work(
        "GPT-2 in 4 bits, 1 row", "gpt2", "generate", (1, 8), 40, {}, None, "int4", "decode-1"
    ),
    "lookup": Work(
        "GPT-2, prompt lookup, repetitive text", "gpt2", "generate", (1, 64), 60,
        {"prompt_lookup_num_tokens": 8}, 1.8, "float32", "greedy-64",
    ),
    "greedy-64": Work("GPT-2, greedy after 64 tokens", "gpt2", "generate", (1, 64), 60),
    "train-bert": Work(
        "BERT-base, a step of training, 16 x 128", "bert-classifier", "train", (16, 128), target=1.0
    ),
    "train-gpt2": Work(
        "GPT-2, a step of training, 8 x 128", "gpt2", "train", (8, 128), target=1.0, kind="trained"
    ),
}  # fmt: skip


def inputs(work: Work) -> list[list[int]]:
    """Token ids of the work's shape, the same for every contestant. -> (rows, tokens)"""
    draw = random.Random(0)
    rows, tokens = work.shape
    return [[draw.randrange(1000, 30000) for _ in range(tokens)] for _ in range(rows)]
