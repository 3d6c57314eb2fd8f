"""What stands before Whisper's texts, as in transformers 4.46.3."""

from __future__ import annotations

import json

import pytest

from minitransformers import WhisperTokenizer
from minitransformers.tokenization.convert.languages import WHISPER_LANGUAGES

WORDS = [*"abcdefghijklmnopqrstuvwxyzĠ", "<|endoftext|>"]
SPECIAL = ["<|startoftranscript|>", *(f"<|{code}|>" for code in WHISPER_LANGUAGES)]
SPECIAL += ["<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|notimestamps|>"]
TIMES = ["<|0.00|>", "<|0.02|>"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(WORDS)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    flags = dict(lstrip=False, rstrip=False, normalized=False, single_word=False)
    added = {
        str(len(WORDS) + i): {"content": token, "special": token in SPECIAL, **flags}
        for i, token in enumerate(SPECIAL + TIMES)
    }
    config = {"additional_special_tokens": SPECIAL, "added_tokens_decoder": added}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return tmp_path


def test_prefixes(folder) -> None:
    plain = WhisperTokenizer.from_pretrained(folder)
    start, end = "<|startoftranscript|>", "<|endoftext|>"
    assert plain("ab").tokens() == [start, "<|notimestamps|>", "a", "b", end]
    asked = WhisperTokenizer.from_pretrained(folder, language="Hindi", task="transcribe")
    prefix = [start, "<|hi|>", "<|transcribe|>", "<|notimestamps|>"]
    assert asked("a", "b").tokens() == [*prefix, "a", "b", end]
    assert asked.convert_ids_to_tokens(asked.prefix_tokens) == prefix
    assert asked.build_inputs_with_special_tokens([0], [1]) == asked("a", "b")["input_ids"]
    assert asked.get_special_tokens_mask([0], [1]) == [1, 1, 1, 1, 0, 0, 1]
    asked.set_prefix_tokens(language="castilian", predict_timestamps=True)
    assert asked("a").tokens() == [start, "<|es|>", "<|transcribe|>", "a", end]
    forced = asked.get_decoder_prompt_ids(language="fr", task="translate")
    tokens = asked.convert_ids_to_tokens([index for _, index in forced])
    assert tokens == ["<|fr|>", "<|translate|>", "<|notimestamps|>"]
    assert [place for place, _ in forced] == [1, 2, 3]


def test_saved_with_its_language(folder, tmp_path) -> None:
    asked = WhisperTokenizer.from_pretrained(folder, language="hi", task="translate")
    asked.save_pretrained(tmp_path / "saved")
    again = WhisperTokenizer.from_pretrained(tmp_path / "saved")
    assert (again.language, again.task) == ("hi", "translate")
    assert again("ab")["input_ids"] == asked("ab")["input_ids"]


def test_times_and_earlier_text_are_not_shown(folder) -> None:
    tokenizer = WhisperTokenizer.from_pretrained(folder)
    first, second = tokenizer.convert_tokens_to_ids(TIMES)
    assert tokenizer.decode([first, 0, 1, second]) == "ab"
    before = tokenizer.convert_tokens_to_ids("<|startofprev|>")
    ids = [before, 2, 3, *tokenizer("ab")["input_ids"]]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab"
    assert tokenizer.decode(ids[:3], skip_special_tokens=True) == ""
    assert tokenizer.decode(ids[:3]) == "<|startofprev|>cd"


def test_refusals(folder) -> None:
    with pytest.raises(ValueError, match=r"Unsupported language: klingon.*'english', 'chinese'"):
        WhisperTokenizer.from_pretrained(folder, language="klingon")
    with pytest.raises(ValueError, match=r"Unsupported task: sing. .*'translate', 'transcribe'"):
        WhisperTokenizer.from_pretrained(folder, task="sing")
