"""Calling a tokenizer: arguments, errors, threads, processes."""

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import processors

from minitransformers.tokenization import AutoTokenizer, PreTrainedTokenizerFast

TEXT = "The quick brown fox jumps over the lazy dog"


def test_one_text_and_a_batch(bert):
    one = bert(TEXT)
    batch = bert([TEXT, "Hello"])
    assert list(one) == ["input_ids", "token_type_ids", "attention_mask"]
    assert batch["input_ids"][0] == one["input_ids"]
    assert bert.encode(TEXT) == one["input_ids"] == bert.encode_plus(TEXT)["input_ids"]
    assert bert.batch_encode_plus([TEXT])["input_ids"] == [one["input_ids"]]
    assert bert.tokenize("Hello world") == bert("Hello world").tokens()[1:-1]


@pytest.mark.parametrize("name", ["np", "pt", "tf", "jax"])
def test_arrays(bert, name):
    ids = bert([TEXT, "Hello"], padding=True, return_tensors=name)["input_ids"]
    assert isinstance(ids, np.ndarray)
    assert ids.dtype == np.int64
    assert ids.shape[0] == 2
    ids[ids == bert.pad_token_id] = -100
    assert bert("Hello", return_tensors=name).input_ids.shape[0] == 1
    assert bert("", add_special_tokens=False, return_tensors=name).input_ids.dtype == np.int64


def test_ragged_rows(bert):
    with pytest.raises(ValueError, match=r"padding=True.*input_ids"):
        bert([TEXT, "Hello"], return_tensors="pt")
    assert bert([TEXT, "Hello"], return_tensors="np")["input_ids"].dtype == object


def test_targets(bert):
    both = bert("Hello", text_target="world")
    assert both["labels"] == bert("world")["input_ids"] == bert(text_target="world")["input_ids"]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_sides(bert, side):
    mask = bert(["Hello", TEXT], padding=True, padding_side=side)["attention_mask"][0]
    assert mask[0 if side == "left" else -1] == 0
    bert.padding_side = side
    assert bert(["Hello", TEXT], padding=True)["attention_mask"][0] == mask


def test_overflow(bert):
    encoded = bert(
        [TEXT, "Hello"],
        max_length=8,
        stride=2,
        truncation=True,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    assert encoded["overflow_to_sample_mapping"][-1] == 1
    assert len(encoded["input_ids"]) == len(encoded["offset_mapping"]) == len(encoded.encodings)
    first, second = encoded["input_ids"][:2]
    assert first[-3:-1] == second[1:3]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"text": None}, "text"),
        ({"text": 5}, "int"),
        ({"text": ["a", 5]}, "5"),
        ({"text": [["a", "b", "c"]]}, "pair"),
        ({"text": ["a", "b"], "text_pair": ["c"]}, "2 does not match.*1"),
        ({"text": ["a", "b"], "text_pair": "c"}, "text_pair"),
        ({"text": []}, "empty"),
        ({"text": TEXT, "padding": "longer"}, "longer"),
        ({"text": TEXT, "truncation": "some"}, "some"),
        ({"text": TEXT, "truncation": True, "max_length": -1}, "-1"),
        ({"text": TEXT, "truncation": True, "max_length": 5, "stride": 3}, "stride"),
        ({"text": TEXT, "truncation": True, "max_length": 5, "stride": 9}, "stride"),
        (
            {"text": TEXT, "text_pair": TEXT, "truncation": "only_first", "max_length": 5},
            "only_first",
        ),
        (
            {
                "text": "Hello",
                "text_pair": TEXT,
                "truncation": "only_second",
                "max_length": 16,
                "stride": 11,
            },
            "stride=11",
        ),
        ({"text": TEXT, "padding": True, "padding_side": "up"}, "up"),
        (
            {
                "text": TEXT,
                "padding": True,
                "truncation": True,
                "max_length": 10,
                "pad_to_multiple_of": 8,
            },
            "10.*8",
        ),
    ],
)
def test_errors_name_the_argument(bert, arguments, named, capfd):
    with pytest.raises(ValueError, match=named):
        bert(**arguments)
    assert "panicked" not in capfd.readouterr().err


def test_no_padding_token(gpt2):
    with pytest.raises(ValueError, match="does not have a padding token"):
        gpt2(["a", "b"], padding=True)
    gpt2.pad_token = gpt2.eos_token
    assert gpt2(["a", "bcd efg"], padding=True)["attention_mask"][0][-1] == 0


def test_words_need_a_prefix_space(gpt2, folders):
    with pytest.raises(ValueError, match="add_prefix_space=True"):
        gpt2(["a", "b"], is_split_into_words=True)
    words = AutoTokenizer.from_pretrained(folders["GPT2Tokenizer"], add_prefix_space=True)
    assert set(words(["a", "b"], is_split_into_words=True).word_ids()) == {0, 1}


def test_decoding(bert):
    ids = bert("Hello world !")["input_ids"]
    assert bert.decode(ids) == bert.decode(np.array(ids)) == bert.batch_decode([ids])[0]
    assert bert.decode([np.array(i) for i in ids]) == bert.decode(ids)
    assert bert.decode(ids[1]) == bert.decode(ids[1:2])
    assert bert.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True) == (
        "hello world!"
    )
    assert bert.batch_decode(np.array([ids, ids])) == [bert.decode(ids)] * 2
    with pytest.raises(ValueError, match="-100"):
        bert.decode([-100])
    with pytest.raises(ValueError, match="batch_decode"):
        bert.decode([ids])


def test_pad(bert):
    rows = [bert("Hello"), bert(TEXT)]
    padded = bert.pad(rows, return_tensors="np")
    assert padded["input_ids"].shape == padded["token_type_ids"].shape
    expected = bert(["Hello", TEXT], padding=True)
    assert padded["input_ids"].tolist() == expected["input_ids"]
    assert bert.pad({"input_ids": [[1], [1, 2]]})["attention_mask"] == [[1, 0], [1, 1]]
    assert bert.pad({"input_ids": [1]}, padding="max_length", max_length=3)["input_ids"] == [
        1,
        0,
        0,
    ]
    arrays = bert.pad({"input_ids": np.array([[1, 2]])}, pad_to_multiple_of=4)
    assert arrays["input_ids"].tolist() == [[1, 2, 0, 0]]
    with pytest.raises(ValueError, match="includes input_ids"):
        bert.pad({"labels": [[1]]})
    with pytest.raises(ValueError, match="different batch size"):
        bert.pad({"input_ids": [[1], [2]], "labels": [[1]]})


def test_prepare_for_model(bert):
    ids = bert(TEXT, add_special_tokens=False)["input_ids"]
    assert bert.prepare_for_model(ids)["input_ids"] == bert(TEXT)["input_ids"]
    cut = bert.prepare_for_model(
        ids, truncation=True, max_length=6, stride=1, return_overflowing_tokens=True
    )
    assert cut["input_ids"] == [bert.cls_token_id, *ids[:4], bert.sep_token_id]
    assert cut["overflowing_tokens"] == ids[3:]
    assert bert.truncate_sequences([1, 2, 3], [4, 5], 3) == ([1], [4], [])


def test_too_long_is_said_once(folders, caplog):
    bert = AutoTokenizer.from_pretrained(folders["BertTokenizer"], model_max_length=4)
    bert(TEXT)
    bert(TEXT)
    assert len(caplog.records) == 1
    assert "> 4" in caplog.text
    assert len(bert(TEXT, truncation=True)["input_ids"]) == 4


def test_backend_changes_are_seen(bert):
    bert.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", pair="$A $B", special_tokens=[("[SEP]", bert.sep_token_id)]
    )
    assert bert(TEXT, truncation=True, max_length=4).tokens()[-1] == "[SEP]"
    assert bert(TEXT, truncation=True, max_length=4).tokens()[0] != "[CLS]"


def test_many_threads_with_different_arguments(bert):
    """The shared Rust tokenizer is never changed, so nobody sees another's arguments."""
    options = [
        {},
        {"truncation": True, "max_length": 4},
        {"truncation": True, "max_length": 9, "padding": "max_length"},
        {"padding": "max_length", "max_length": 30, "padding_side": "left"},
        {"split_special_tokens": True, "truncation": True, "max_length": 7},
        {"add_special_tokens": False},
    ]
    texts = [TEXT, "[SEP] Hello [MASK]", "a"]
    expected = [bert(texts, **option).data for option in options]
    start = threading.Barrier(len(options))

    def work(number: int) -> bool:
        start.wait()
        return all(bert(texts, **options[number]).data == expected[number] for _ in range(200))

    with ThreadPoolExecutor(len(options)) as pool:
        assert all(pool.map(work, range(len(options))))


def test_pickle(bert, gpt2):
    for tokenizer in (bert, gpt2):
        tokenizer.add_tokens(["newtoken"])
        again = pickle.loads(pickle.dumps(tokenizer))
        assert type(again) is type(tokenizer)
        assert again("a newtoken")["input_ids"] == tokenizer("a newtoken")["input_ids"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_parallel_work_is_silent_and_safe(folders):
    code = (
        "import os, sys\n"
        "from minitransformers.tokenization import AutoTokenizer\n"
        f"t = AutoTokenizer.from_pretrained({str(folders['BertTokenizer'])!r})\n"
        "assert 'TOKENIZERS_PARALLELISM' not in os.environ\n"
        "t(['Hello world'] * 64)\n"
        "pid = os.fork()\n"
        "t(['Hello world'] * 64)\n"
        "if pid == 0: os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert 'TOKENIZERS_PARALLELISM' not in os.environ\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_training_a_new_vocabulary(bert, gpt2):
    texts = [["some texts to learn from"] * 5, ["other texts"] * 5]
    for tokenizer in (bert, gpt2):
        trained = tokenizer.train_new_from_iterator(iter(texts), 300, new_special_tokens=["<new>"])
        assert type(trained) is type(tokenizer)
        assert "<new>" in trained.all_special_tokens
        assert trained.decode(trained("some texts")["input_ids"], skip_special_tokens=True) == (
            "some texts"
        )
    renamed = bert.train_new_from_iterator(texts, 100, special_tokens_map={"[CLS]": "<cls>"})
    assert renamed.cls_token == "<cls>"
    assert renamed("texts").tokens()[0] == "<cls>"


def test_tokenizer_object(bert):
    plain = PreTrainedTokenizerFast(tokenizer_object=bert.backend_tokenizer, pad_token="[PAD]")
    assert plain(TEXT)["input_ids"] == bert(TEXT)["input_ids"]
    with pytest.raises(ValueError, match=r"tokenizers\.Tokenizer"):
        PreTrainedTokenizerFast(tokenizer_object=5)
    with pytest.raises(ValueError, match="needs a vocabulary"):
        PreTrainedTokenizerFast()


def test_deprecated_names(folders):
    nllb = AutoTokenizer.from_pretrained(folders["NllbTokenizer"], tgt_lang="deu_Latn")
    labels = nllb(text_target="hallo")["input_ids"]
    with pytest.warns(FutureWarning, match="text_target"), nllb.as_target_tokenizer():
        assert nllb("hallo")["input_ids"] == labels
    assert nllb("hallo")["input_ids"] != labels
    with pytest.warns(FutureWarning, match="text_target"):
        batch = nllb.prepare_seq2seq_batch(["hello"], ["hallo"], tgt_lang="deu_Latn")
    assert batch["labels"] == [labels]
    assert nllb.sanitize_special_tokens() == 0
