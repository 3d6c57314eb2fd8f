"""BatchEncoding: a dictionary, and the way from tokens to text."""

import copy
import pickle

import numpy as np
import pytest

from minitransformers.tokenization import BatchEncoding, CharSpan, TokenSpan


@pytest.fixture
def pair(bert):
    return bert("The quick brown fox", "jumps over")


def test_a_dictionary(pair):
    assert set(pair) == {"input_ids", "token_type_ids", "attention_mask"}
    assert pair.input_ids == pair["input_ids"]
    assert dict(**pair) == pair.data
    assert "input_ids" in pair
    assert pair.get("missing") is None
    assert not hasattr(pair, "missing")
    with pytest.raises(KeyError):
        pair["missing"]
    pair["labels"] = [1]
    assert pair.labels == [1]
    assert pair.pop("labels") == [1]


def test_alignment(pair):
    assert pair.is_fast
    assert pair.n_sequences == 2
    tokens = pair.tokens()
    assert tokens[0] == "[CLS]"
    assert pair[0].tokens == tokens
    assert pair[:1][0].tokens == tokens
    assert pair.sequence_ids()[0] is None
    assert pair.word_ids()[1] == 0
    first = pair.char_to_token(0)
    assert pair.token_to_chars(first).start == 0
    assert isinstance(pair.token_to_chars(first), CharSpan)
    assert pair.token_to_chars(0) is None
    assert pair.char_to_token(3) is None
    assert pair.char_to_word(4) == 1
    assert pair.word_to_chars(1) == CharSpan(4, 9)
    span = pair.word_to_tokens(1)
    assert isinstance(span, TokenSpan)
    assert span == pair.word_to_tokens(0, 1)
    assert pair.token_to_word(span.start) == 1
    assert pair.token_to_sequence(span.start) == 0
    second = pair.char_to_token(0, sequence_index=1)
    assert pair.token_to_sequence(second) == 1
    assert pair.token_to_sequence(-2) == 1
    assert pair.word_to_tokens(99) is None
    with pytest.raises(ValueError, match="99"):
        pair.word_to_chars(99)
    with pytest.warns(FutureWarning, match="word_ids"):
        assert pair.words() == pair.word_ids()


def test_without_alignment():
    plain = BatchEncoding({"input_ids": [[1, 2], [3, 4]]})
    assert not plain.is_fast
    assert plain[:1] == {"input_ids": [[1, 2]]}
    with pytest.raises(KeyError, match="Invalid key"):
        plain[0]
    with pytest.raises(ValueError, match="not available"):
        plain.tokens()


def test_copies(pair):
    for again in (copy.copy(pair), copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert again.data == pair.data
        assert again.tokens() == pair.tokens()
        assert again.n_sequences == 2


def test_devices(pair):
    assert pair.to("cpu") is pair
    for device in ("cuda", "cuda:0", "mps"):
        with pytest.raises(ValueError, match="CPU"):
            pair.to(device)


def test_tensors():
    encoding = BatchEncoding({"input_ids": [1, 2], "kept": np.zeros(2)})
    assert encoding.convert_to_tensors("np", prepend_batch_axis=True).input_ids.shape == (1, 2)
    assert BatchEncoding({"a": [1]}, tensor_type="pt").a.dtype == np.int64
    with pytest.raises(ValueError, match="'nope'"):
        BatchEncoding({"a": [1]}, tensor_type="nope")


def test_offsets_are_those_of_the_call(bert):
    """Alignment is worked out when asked for, with the tokenizer as it was at the call."""
    text = "a newone b"
    encoded = bert([text, "c"], padding=True)
    expected = bert([text, "c"], padding=True, return_offsets_mapping=True)
    bert.add_tokens(["newone"])
    bert.pad_token = "[MASK]"
    assert encoded[0].offsets == expected["offset_mapping"][0]
    assert encoded.encodings[1].ids == expected["input_ids"][1]
    assert [encoded.char_to_token(i) for i in range(len(text))] == [
        expected.char_to_token(i) for i in range(len(text))
    ]
