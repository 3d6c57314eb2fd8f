"""ProphetNet's tokenizer: BERT's words, nothing before a text, a file name of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minitransformers.tokenization import AutoTokenizer

SPACED = "[PAD] [UNK] [SEP] [X_SEP] [MASK] hello world ##s ! cafe Hello [ x _ sep ] . ,"
TOKENS = SPACED.split(" ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prophetnet.tokenizer").write_text("".join(f"{token}\n" for token in TOKENS))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "prophetnet"}))
    return tmp_path


def test_pairs_are_the_references(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(["Hello worlds!", "Café [X_SEP] x."], ["x", ".,"], padding=True)
    assert dict(encoded) == {
        "input_ids": [
            [5, 6, 7, 8, 2, 12, 2, 0, 0, 0, 0, 0],
            [9, 11, 12, 13, 14, 15, 12, 16, 2, 16, 17, 2],
        ],
        "attention_mask": [[1] * 7 + [0] * 5, [1] * 12],
    }
    types = tokenizer("hello", text_pair="x", return_token_type_ids=True)["token_type_ids"]
    assert types == [0, 0, 1, 1]


def test_what_it_generates_keeps_the_separator_of_sentences(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode([5, 7, 3, 16, 2, 0], skip_special_tokens=True) == "hellos [X_SEP]."
    assert tokenizer.decode([5, 16], clean_up_tokenization_spaces=False) == "hello ."
    assert tokenizer.cls_token is None


def test_saved_files_load_again(folder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    saved = tokenizer.save_pretrained(tmp_path / "saved")
    assert str(tmp_path / "saved" / "prophetnet.tokenizer") in saved
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert type(again) is type(tokenizer)
    assert again("hello worlds").input_ids == [5, 6, 7, 2]
