"""Code Llama's prompts, as transformers 4.46.3 makes them."""

from __future__ import annotations

import json

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from minitransformers import AutoTokenizer

MARKERS = ["▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"]
TEXT = "def ab(a):\n <FILL_ME>\n return a"
AFTER = [*"\n▁return", "▁a"]


@pytest.fixture
def tokenizer(tmp_path):
    words = ["<unk>", "<s>", "</s>", *"▁abcdefghijklmnopqrstuvwxyz():\n", "▁a", "ab", "de", "def"]
    vocabulary = {word: i for i, word in enumerate([*words, *MARKERS])}
    merges = [("▁", "a"), ("a", "b"), ("d", "e"), ("de", "f")]
    rust = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    rust.normalizer = normalizers.Sequence(steps)
    rust.decoder = decoders.Metaspace()
    rust.add_special_tokens([AddedToken(t, normalized=False) for t in [*words[:3], *MARKERS]])
    rust.save(str(tmp_path / "tokenizer.json"))
    config = {"tokenizer_class": "CodeLlamaTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return AutoTokenizer.from_pretrained(tmp_path)


def test_a_gap(tokenizer) -> None:
    before = ["▁", "def", "▁a", "b", *"(a):\n▁"]
    between = ["▁<SUF>", *AFTER, "▁<MID>"]
    assert tokenizer.tokenize(TEXT) == ["▁<PRE>", *before, *between]
    assert tokenizer(TEXT).tokens() == ["<s>", "▁<PRE>", *before, *between]
    assert tokenizer.tokenize(TEXT, suffix_first=True) == ["▁<PRE>", *between, *before]


def test_prefix_and_suffix_given_apart(tokenizer) -> None:
    prefix, suffix = TEXT.split("<FILL_ME>")
    expected = tokenizer(TEXT)["input_ids"]
    assert tokenizer(prefix, suffix)["input_ids"] == expected
    assert tokenizer(prefix, suffix=suffix)["input_ids"] == expected
    without = tokenizer(prefix, suffix, add_special_tokens=False)["input_ids"]
    assert without == expected[1:]
    tokenizer.add_eos_token = True
    assert tokenizer(TEXT)["input_ids"] == [*expected, tokenizer.eos_token_id]


def test_texts_without_a_gap_are_as_ever(tokenizer) -> None:
    plain = ["<s>", "▁a", "b"]
    assert tokenizer("ab").tokens() == plain
    tokenizer(TEXT)
    assert tokenizer("ab").tokens() == plain
    assert tokenizer("ab", "")["input_ids"] == tokenizer("ab")["input_ids"]
    assert tokenizer("ab<FILL_ME>")["input_ids"] == tokenizer("ab")["input_ids"]
    batch = tokenizer([TEXT])["input_ids"][0]  # as in the reference, batches are left alone
    assert tokenizer.prefix_id not in batch


def test_markers(tokenizer) -> None:
    ids = tokenizer.prefix_id, tokenizer.middle_id, tokenizer.suffix_id, tokenizer.eot_id
    assert list(ids) == tokenizer.convert_tokens_to_ids(MARKERS)
    with pytest.raises(ValueError, match="one <FILL_ME> at most, not 2"):
        tokenizer("a<FILL_ME>b<FILL_ME>c")
    tokenizer.middle_token = None
    with pytest.raises(ValueError, match="needs a prefix_token, a suffix_token and a middle_token"):
        tokenizer(TEXT)
