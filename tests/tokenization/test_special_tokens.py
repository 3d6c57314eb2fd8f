"""Special tokens: roles, ids, setters, and tokens added to the vocabulary."""

import pytest
from tokenizers import AddedToken

import minitransformers
from minitransformers.tokenization import AutoTokenizer


def test_roles(bert):
    assert bert.cls_token == "[CLS]"
    assert bert.cls_token_id == bert.convert_tokens_to_ids("[CLS]")
    assert bert.bos_token is None
    assert bert.bos_token_id is None
    bert.bos_token = "[CLS]"
    assert bert.bos_token_id == bert.cls_token_id
    bert.eos_token_id = bert.sep_token_id
    assert bert.eos_token == "[SEP]"
    bert.bos_token = None
    assert "bos_token" not in bert.special_tokens_map
    with pytest.raises(ValueError, match="PAD"):
        bert.pad_token = 5
    assert bert.pad_token_type_id == 0


def test_unknown_tokens(bert, gpt2):
    assert bert.convert_tokens_to_ids("nothing like it") == bert.unk_token_id
    assert bert.convert_tokens_to_ids(None) is None
    assert bert.convert_tokens_to_ids(["[CLS]", "[SEP]"]) == [bert.cls_token_id, bert.sep_token_id]
    gpt2.unk_token = None
    assert gpt2.convert_tokens_to_ids("nothing like it") is None
    assert bert.convert_ids_to_tokens(10**6) is None


def test_a_new_padding_token(folders):
    length = len(AutoTokenizer.from_pretrained(folders["GPT2Tokenizer"]))
    tokenizer = AutoTokenizer.from_pretrained(folders["GPT2Tokenizer"], pad_token="PAD")
    assert tokenizer.pad_token_id == length == len(tokenizer) - 1
    assert tokenizer.vocab_size == length


def test_adding_tokens(bert):
    length = len(bert)
    assert bert.add_tokens(["newone", "newone", "another"]) == 2
    assert bert.add_tokens("newone") == 0
    assert bert.add_tokens([]) == 0
    assert len(bert) == length + 2
    assert bert.tokenize("a newone b") == ["a", "newone", "b"]
    assert bert.tokenize("a newone b", truncation=True, max_length=3) == ["a", "newone", "b"]
    assert bert.get_added_vocab()["another"] == length + 1
    with pytest.raises(ValueError, match="int"):
        bert.add_tokens([5])


def test_stripping_tokens(bert):
    bert.add_tokens([AddedToken("<l>", lstrip=True), AddedToken("<r>", rstrip=True)])
    offsets = bert("a <l> b <r> c", return_offsets_mapping=True, add_special_tokens=False)
    assert offsets["offset_mapping"] == [(0, 1), (1, 5), (6, 7), (8, 12), (12, 13)]


def test_adding_special_tokens(bert):
    assert bert.add_special_tokens({"additional_special_tokens": ["<a>", "<b>"]}) == 2
    assert bert.add_special_tokens({"bos_token": "<a>"}) == 0
    assert bert.bos_token == "<a>"
    assert bert.additional_special_tokens == ["<a>", "<b>"]
    bert.add_special_tokens(
        {"additional_special_tokens": ["<b>", "<c>"]}, replace_additional_special_tokens=False
    )
    assert bert.additional_special_tokens == ["<a>", "<b>", "<c>"]
    assert bert.additional_special_tokens_ids == bert.convert_tokens_to_ids(["<a>", "<b>", "<c>"])
    assert bert.decode(bert("x <c>")["input_ids"], skip_special_tokens=True) == "x"
    assert bert.add_special_tokens({}) == 0
    with pytest.raises(ValueError, match="nope_token"):
        bert.add_special_tokens({"nope_token": "x"})
    with pytest.raises(ValueError, match="pad_token"):
        bert.add_special_tokens({"pad_token": 5})
    with pytest.raises(ValueError, match="additional_special_tokens"):
        bert.add_special_tokens({"additional_special_tokens": "x"})


def test_counts_and_masks(bert, gpt2):
    assert bert.num_special_tokens_to_add() == 2
    assert bert.num_special_tokens_to_add(pair=True) == 3
    assert gpt2.num_special_tokens_to_add() == 0
    bert.model_max_length = 10
    assert bert.max_len_single_sentence == 8
    assert bert.max_len_sentences_pair == 7
    ids = bert("a b")["input_ids"]
    assert bert.get_special_tokens_mask(ids, already_has_special_tokens=True) == [1, 0, 0, 1]
    with pytest.raises(ValueError, match="already_has_special_tokens"):
        bert.get_special_tokens_mask(ids)


def test_repr_names_the_class(bert):
    assert repr(bert).startswith("BertTokenizerFast(name_or_path=")
    assert "special_tokens={" in repr(bert)
    assert bool(bert)


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("BigBird", "AlbertTokenizer", "spiece.model"),
        ("DebertaV2", "AlbertTokenizer", "spiece.model"),
        ("RemBert", "AlbertTokenizer", "spiece.model"),
        ("Herbert", "RobertaTokenizer", "vocab.json merges.txt"),
    ],
)
def test_where_special_tokens_will_stand(folders, name, folder, file):
    """The classes that tell it in the reference, and what they tell there."""
    tokenizer_class = getattr(minitransformers, f"{name}TokenizerFast")
    tokenizer = tokenizer_class(*(str(folders[folder] / part) for part in file.split()))
    assert tokenizer.get_special_tokens_mask([5, 6]) == [1, 0, 0, 1]
    assert tokenizer.get_special_tokens_mask([5, 6], [7]) == [1, 0, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="one list"):
        tokenizer.get_special_tokens_mask([5], [6], already_has_special_tokens=True)
