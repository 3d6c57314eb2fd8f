"""Tokenizers that the reference has in Python only, call by call as it answers."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from fuzz_tokenizers import equal, run_call
from python_tokenizer_cases import scenario

import minitransformers
from minitransformers.tokenization import AutoTokenizer

GOLDEN = Path(__file__).parent.parent / "golden" / "python_tokenizers.json.gz"
with gzip.open(GOLDEN) as file:
    ANSWERS: dict[str, Any] = json.load(file)
NAMES = list(ANSWERS["folders"])

# A warning is the reference's, too: `max_length` without truncation.
pytestmark = pytest.mark.filterwarnings("ignore:`max_length` is ignored")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of vocabulary files for each class."""
    base = tmp_path_factory.mktemp("python_tokenizers")
    for name, folder in ANSWERS["folders"].items():
        (base / name).mkdir()
        for file, data in folder["files"].items():
            (base / name / file).write_bytes(base64.b64decode(data))
    return base


@pytest.mark.parametrize("name", NAMES)
def test_calls(name: str, checkpoints: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / name)
    assert type(tokenizer) is getattr(minitransformers, name)
    assert not tokenizer.is_fast
    for call, answer in zip(ANSWERS["calls"], ANSWERS["folders"][name]["answers"], strict=True):
        assert equal(run_call(tokenizer, call), answer), call


@pytest.mark.parametrize("name", NAMES)
def test_tokens_and_texts_before_and_after_adding_tokens(name: str, checkpoints: Path) -> None:
    told = scenario(AutoTokenizer.from_pretrained(checkpoints / name))
    for part, answer in ANSWERS["folders"][name]["scenario"].items():
        assert json.loads(json.dumps(told[part])) == answer, part


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_tokenizer_answers_alike(name: str, checkpoints: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / name)
    tokenizer.add_tokens(["newtok"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]})
    files = {Path(path).name for path in tokenizer.save_pretrained(tmp_path)}
    assert files >= {*tokenizer.vocab_files_names.values(), "added_tokens.json"}
    assert "tokenizer.json" not in files
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert scenario(again) == scenario(tokenizer)
    with pytest.raises(ValueError, match="legacy_format"):
        tokenizer.save_pretrained(tmp_path, legacy_format=False)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_can_be_saved_without_it(
    name: str, checkpoints: Path, tmp_path: Path
) -> None:
    """But PhoBERT's files are copied, as in the reference."""
    shutil.copytree(checkpoints / name, tmp_path / "old")
    tokenizer = pickle.loads(pickle.dumps(AutoTokenizer.from_pretrained(tmp_path / "old")))
    shutil.rmtree(tmp_path / "old")
    tokenizer.save_pretrained(tmp_path / "new")
    if name in ("BertweetTokenizer", "PhobertTokenizer"):
        return
    again = AutoTokenizer.from_pretrained(tmp_path / "new")
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again("hello <unk> wörld")["input_ids"] == tokenizer("hello <unk> wörld")["input_ids"]


def test_marian_can_split_special_tokens(checkpoints: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / "MarianTokenizer")
    assert tokenizer.tokenize("a</s>")[-1] == "</s>"
    assert tokenizer.tokenize("a</s>", split_special_tokens=True)[-1] == ">"
    assert tokenizer.supported_language_codes == []
    joined = AutoTokenizer.from_pretrained(checkpoints / "MarianTokenizer", separate_vocabs=False)
    assert joined.supported_language_codes == [">>fr<<", ">>es<<"]


def test_byt5_counts_its_extra_ids() -> None:
    assert len(minitransformers.ByT5Tokenizer()) == 384
    assert len(minitransformers.ByT5Tokenizer(extra_ids=0)) == 259
    tokens = ["<extra_id_0>", "<x>"]
    assert len(minitransformers.ByT5Tokenizer(extra_ids=1, additional_special_tokens=tokens)) == 261
    with pytest.raises(ValueError, match="extra_ids=2"):
        minitransformers.ByT5Tokenizer(extra_ids=2, additional_special_tokens=tokens)


def test_tweets_are_normalised(checkpoints: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / "BertweetTokenizer")
    for tweet, normalised in ANSWERS["tweets"]:
        assert tokenizer.normalizeTweet(tweet) == normalised
    plain = AutoTokenizer.from_pretrained(checkpoints / "BertweetTokenizer", normalization=False)
    assert tokenizer.tokenize("@me hello") == plain.tokenize("@USER hello")


def test_a_tokenizer_json_is_not_read(checkpoints: Path, tmp_path: Path) -> None:
    """PhoBERT's repository has one beside the files that the class reads."""
    source = checkpoints / "PhobertTokenizer"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": []}')
    found = AutoTokenizer.from_pretrained(tmp_path)
    expected = AutoTokenizer.from_pretrained(source)
    assert found("hello world") == expected("hello world")


def test_esm_knows_its_tokens(checkpoints: Path) -> None:
    path = checkpoints / "EsmTokenizer" / "vocab.txt"
    for tokenizer in (
        minitransformers.EsmTokenizer(str(path)),
        minitransformers.EsmTokenizer.from_pretrained(path),
    ):
        assert tokenizer("MK<mask>x")["input_ids"] == [0, 20, 15, 32, 3, 2]
        assert tokenizer.all_tokens[:5] == ["<cls>", "<pad>", "<eos>", "<unk>", "L"]
        assert (tokenizer.token_to_id("L"), tokenizer.id_to_token(4)) == (4, "L")
        assert (tokenizer.token_to_id("x"), tokenizer.id_to_token(99)) == (3, "<unk>")
    tokenizer.eos_token = None
    assert tokenizer("MK")["input_ids"] == [0, 20, 15]
    with pytest.raises(ValueError, match="EOS"):
        tokenizer("MK", "MK")


def test_a_line_without_a_count_is_named(checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("hello 5\nworld\n")
    codes = checkpoints / "PhobertTokenizer" / "bpe.codes"
    with pytest.raises(ValueError, match="line 2"):
        minitransformers.PhobertTokenizer(str(tmp_path / "vocab.txt"), str(codes))


def test_gpt_sw3(checkpoints: Path, tmp_path: Path) -> None:
    """The special tokens of the 7b models follow from the name; sampling is refused."""
    folder = tmp_path / "gpt-sw3-7b"
    folder.mkdir()
    model = (checkpoints / "GPTSw3Tokenizer" / "spiece.model").read_bytes()
    (folder / "spiece.model").write_bytes(model)
    small = minitransformers.GPTSw3Tokenizer.from_pretrained(folder)
    assert (small.bos_token, small.pad_token) == ("<|endoftext|>", "<unk>")
    ids = small.encode_fast(["hej på dig", "🤗"])
    assert ids == [small.encode(text) for text in ("hej på dig", "🤗")]
    assert [small.decode_fast(row) for row in ids] == ["hej på dig", "🤗"]
    lowered = minitransformers.GPTSw3Tokenizer.from_pretrained(folder, do_lower_case=True)
    assert lowered.encode("HEJ <|endoftext|>") == small.encode("hej <|endoftext|>")
    with pytest.raises(ValueError, match="sampling"):
        minitransformers.GPTSw3Tokenizer.from_pretrained(
            folder, sp_model_kwargs={"enable_sampling": True}
        )


def test_tokens_are_classified_without_their_places(checkpoints: Path) -> None:
    """As in the reference: no start and end, and nothing that needs them."""
    config = minitransformers.EsmConfig(
        vocab_size=33,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        pad_token_id=1,
        mask_token_id=32,
        position_embedding_type="rotary",
    )
    model = minitransformers.EsmForTokenClassification(config).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / "EsmTokenizer")
    classify = minitransformers.pipeline("token-classification", model=model, tokenizer=tokenizer)
    found = classify("MKTA")
    assert [(x["word"], x["index"], x["start"], x["end"]) for x in found] == [
        (word, index, None, None) for index, word in enumerate("MKTA", start=1)
    ]
    grouped = classify("MKTA", aggregation_strategy="simple")
    assert " ".join(group["word"] for group in grouped) == "M K T A"
    for options in ({"aggregation_strategy": "first"}, {"stride": 2}):
        with pytest.raises(ValueError, match="EsmTokenizer"):
            classify("MKTA", **options)
