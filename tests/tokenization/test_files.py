"""Which files are read, which of them wins, and what is said when they are broken."""

import json

import pytest
from tokenizers import AddedToken

from minitransformers.tokenization import AutoTokenizer, PreTrainedTokenizerFast
from minitransformers.tokenization import classes as class_table
from minitransformers.tokenization.auto import TOKENIZER_NAMES
from minitransformers.tokenization.classes import CLASSES, tokenizer_class
from minitransformers.tokenization.convert.bpe import read_tiktoken, tiktoken
from minitransformers.tokenization.convert.gguf import gguf_tokenizer, read_metadata
from minitransformers.tokenization.convert.sentencepiece import read_sentencepiece


@pytest.fixture
def saved(bert, tmp_path):
    """A folder with a tokenizer.json and its configuration."""
    bert.save_pretrained(tmp_path)
    return tmp_path


def edit(path, **changes):
    config = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**config, **changes}))


def test_every_class_of_the_tables_exists():
    for name in {*TOKENIZER_NAMES.values(), *(f"{name}Tokenizer" for name in CLASSES)}:
        assert tokenizer_class(name).__name__ == name
    assert tokenizer_class("NoTokenizer") is None
    assert class_table.BertTokenizer.__mro__[1] is class_table.BertTokenizerFast
    with pytest.raises(AttributeError):
        class_table.NoTokenizer  # noqa: B018


def test_single_files(folders, saved):
    vocabulary = folders["BertTokenizer"] / "vocab.txt"
    one = class_table.BertTokenizer.from_pretrained(vocabulary)
    two = class_table.BertTokenizerFast(vocabulary)
    three = PreTrainedTokenizerFast(tokenizer_file=str(saved / "tokenizer.json"))
    assert one("Hello").input_ids == two("Hello").input_ids == three("Hello").input_ids
    with pytest.raises(ValueError, match="more than the single file"):
        class_table.GPT2TokenizerFast.from_pretrained(folders["GPT2Tokenizer"] / "vocab.json")


def test_the_class_by_model_type(folders, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((folders["BertTokenizer"] / "vocab.txt").read_bytes())
    edit(tmp_path / "config.json", model_type="distilbert")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert type(tokenizer).__name__ == "DistilBertTokenizerFast"
    assert list(tokenizer("a")) == ["input_ids", "attention_mask"]
    chosen = AutoTokenizer.from_pretrained(tmp_path, tokenizer_type="bert", use_fast=False)
    assert list(chosen("a")) == ["input_ids", "token_type_ids", "attention_mask"]
    with pytest.raises(ValueError, match="nope"):
        AutoTokenizer.from_pretrained(tmp_path, tokenizer_type="nope")
    edit(tmp_path / "config.json", model_type="unheard-of")
    with pytest.raises(ValueError, match="unheard-of"):
        AutoTokenizer.from_pretrained(tmp_path)


def test_an_unknown_class_with_a_tokenizer_json(saved):
    edit(saved / "tokenizer_config.json", tokenizer_class="UnheardOfTokenizer")
    assert type(AutoTokenizer.from_pretrained(saved)) is PreTrainedTokenizerFast


def test_a_registered_class(saved):
    class Mine(PreTrainedTokenizerFast):
        pass

    edit(saved / "tokenizer_config.json", tokenizer_class=None)
    edit(saved / "config.json", model_type="mine")
    AutoTokenizer.register("mine", fast_tokenizer_class=Mine)
    assert type(AutoTokenizer.from_pretrained(saved)) is Mine
    with pytest.raises(ValueError, match="already registered"):
        AutoTokenizer.register("mine", Mine)
    AutoTokenizer.register("mine", Mine, exist_ok=True)


def test_the_configuration_wins_over_the_class_and_arguments_over_both(saved):
    edit(saved / "tokenizer_config.json", model_max_length=7, padding_side="left", odd=1)
    tokenizer = AutoTokenizer.from_pretrained(saved, padding_side="right", torch_dtype="float16")
    assert tokenizer.model_max_length == 7
    assert tokenizer.padding_side == "right"
    assert tokenizer.init_kwargs["odd"] == 1
    assert tokenizer.init_kwargs["torch_dtype"] == "float16"
    with pytest.raises(ValueError, match="up"):
        AutoTokenizer.from_pretrained(saved, padding_side="up")


def test_lower_case_follows_the_configuration(saved):
    assert AutoTokenizer.from_pretrained(saved).tokenize("[UNK] A") == ["[UNK]", "a"]
    cased = AutoTokenizer.from_pretrained(saved, do_lower_case=False)
    assert cased.tokenize("A") != ["a"]


def test_legacy_files(saved):
    config = json.loads((saved / "tokenizer_config.json").read_text())
    del config["added_tokens_decoder"]
    (saved / "tokenizer_config.json").write_text(json.dumps({**config, "mask_token": "[OLD]"}))
    edit(saved / "added_tokens.json", **{"extra": 500, "[SPECIAL]": 501})
    edit(
        saved / "special_tokens_map.json",
        mask_token={"content": "[MASK]", "lstrip": True},
        additional_special_tokens=["[SPECIAL]"],
    )
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert tokenizer.mask_token == "[MASK]"
    assert tokenizer.tokenize("a extra b") == ["a", "extra", "b"]
    assert "[SPECIAL]" in tokenizer.all_special_tokens
    own = AutoTokenizer.from_pretrained(saved, mask_token="[MINE]")
    assert own.mask_token == "[MINE]"


def test_declared_tokens(saved):
    added = {"0": {"content": "[PAD]", "special": True}, "900": {"content": "<declared>"}}
    edit(saved / "tokenizer_config.json", added_tokens_decoder=added)
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert tokenizer.tokenize("a <declared>") == ["a", "<declared>"]
    edit(saved / "tokenizer_config.json", added_tokens_decoder={"0": 5})
    with pytest.raises(ValueError, match="added_tokens_decoder"):
        AutoTokenizer.from_pretrained(saved)


def test_stored_padding_and_truncation_are_defaults_only(bert, tmp_path):
    raw = bert.backend_tokenizer
    raw.enable_truncation(max_length=3)
    raw.enable_padding(length=9, pad_token="[PAD]")
    raw.save(str(tmp_path / "tokenizer.json"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.pad_token == "[PAD]"
    assert len(tokenizer("a b c d")["input_ids"]) == 6


def test_missing_and_broken_files(tmp_path, saved):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(OSError, match=r"tokenizer\.json"):
        AutoTokenizer.from_pretrained(empty)
    with pytest.raises(OSError, match=r"vocab\.txt"):
        class_table.BertTokenizer.from_pretrained(empty)
    with pytest.raises(OSError, match="does not exist"):
        PreTrainedTokenizerFast(tokenizer_file=str(empty / "tokenizer.json"))
    (saved / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        AutoTokenizer.from_pretrained(saved)
    (saved / "tokenizer_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json"):
        AutoTokenizer.from_pretrained(saved)


def test_hostile_sentencepiece_models(folders, tmp_path):
    data = (folders["LlamaTokenizer"] / "tokenizer.model").read_bytes()
    model = read_sentencepiece(folders["LlamaTokenizer"] / "tokenizer.model")
    assert model.byte_fallback
    assert model.pieces[model.unk_id].text == model.unk_piece == "<unk>"
    path = tmp_path / "tokenizer.model"
    for broken in (b"", b"\x0a", data[: len(data) // 2], b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x7f"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"tokenizer\.model"):
            read_sentencepiece(path)


def test_tiktoken(tmp_path):
    import base64

    tokens = [bytes([byte]) for byte in range(256)] + [b"he", b"ll", b"hell", b"hello", b" w"]
    path = tmp_path / "tokenizer.model"
    lines = (base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    path.write_bytes(b"".join(lines))
    tokenizer = tiktoken({"vocab_file": str(path), "additional_special_tokens": ["<|end|>"]})
    assert tokenizer.encode("hello world<|end|>").tokens == [
        *("hello", "Ġw", "o", "r", "l", "d", "<|end|>")
    ]
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert loaded.tokenize("hello") == ["hello"]
    path.write_bytes(b"not base64\n")
    with pytest.raises(ValueError, match="line 1"):
        read_tiktoken(str(path))


def gguf(entries: dict) -> bytes:
    import struct

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(item) -> bytes:
        if isinstance(item, bool):
            return struct.pack("<IB", 7, item)
        if isinstance(item, str):
            return struct.pack("<I", 8) + text(item)
        if isinstance(item, int):
            return struct.pack("<II", 4, item)
        if isinstance(item[0], str):
            return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(text, item))
        code = "f" if isinstance(item[0], float) else "i"
        kind = 6 if code == "f" else 5
        return struct.pack("<IIQ", 9, kind, len(item)) + struct.pack(f"<{len(item)}{code}", *item)

    body = b"".join(text(name) + value(item) for name, item in entries.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + body


def test_gguf(tmp_path):
    alphabet = [*"abcdefghijklmnopqrstuvwxyz0123456789", "Ġ"]
    tokens = ["<|end|>", *alphabet, "he", "ll", "hell", "hello"]
    path = tmp_path / "model.gguf"
    entries = {
        "general.architecture": "llama",
        "llama.context_length": 64,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] + [1] * (len(tokens) - 1),
        "tokenizer.ggml.merges": ["h e", "l l", "he ll", "hell o"],
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.chat_template": "{{ messages[0].content }}",
    }
    path.write_bytes(gguf(entries))
    for arguments in ([tmp_path, "model.gguf"], [path, None]):
        folder, name = arguments
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        assert tokenizer.tokenize("hello 12") == ["hello", "Ġ", "1", "2"]
        assert tokenizer.eos_token_id == 0
        assert tokenizer.model_max_length == 64
        assert tokenizer.chat_template == "{{ messages[0].content }}"
    llama = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "▁ab"],
        "tokenizer.ggml.scores": [0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0],
        "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.bos_token_id": 1,
    }
    path.write_bytes(gguf(llama))
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert tokenizer("ab a").tokens() == ["<s>", "▁ab", "▁a"]
    assert tokenizer.decode(tokenizer("ab a")["input_ids"], skip_special_tokens=True) == "ab a"
    for broken in (b"", b"GGUX" + bytes(40), gguf(entries)[:200], b"GGUF" + b"\xff" * 40):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"model\.gguf"):
            read_metadata(str(path))
    path.write_bytes(gguf({"tokenizer.ggml.model": "odd"}))
    with pytest.raises(ValueError, match="odd"):
        gguf_tokenizer(str(path))


def printable(text: str) -> str:
    return text.replace(" ", "Ġ").replace("\n", "Ċ")


@pytest.mark.parametrize(
    ("pre", "text", "pieces"),
    [
        ("gpt-2", "aBc!? 1234", ["aBc", "!?", " 1234"]),
        ("falcon", "aBc!? 1234", ["aBc", "!?", " ", "123", "4"]),
        ("starcoder", "aBc 12", ["aBc", " ", "1", "2"]),
        ("llama-bpe", "aBc!? 1234", ["aBc", "!?", " ", "123", "4"]),
        ("tekken", "aBc!/ 12", ["a", "Bc", "!/", " ", "1", "2"]),
        ("bloom", "aBc 1234, a", ["aBc", " 1234", ",", " a"]),
        ("qwen2", "aBc!\n 12", ["aBc", "!\n", " ", "1", "2"]),
    ],
)
def test_how_a_gguf_splits_texts(pre, text, pieces, tmp_path):
    """Each piece is a word of the vocabulary, and so is what would cross two of them."""
    alphabet = [printable(x) for x in [*"abcBC!?/,1234", " ", "\n"]]
    words = [printable(x) for x in pieces if len(x) > 1]
    crossing = printable("".join(pieces[:2]))
    merges = []
    for word in (*words, crossing):
        for end in range(2, len(word) + 1):
            merge = f"{word[: end - 1]} {word[end - 1]}"
            if merge not in merges:
                merges.append(merge)
    tokens = ["<s>", *alphabet]
    tokens += [x for x in dict.fromkeys(m.replace(" ", "") for m in merges) if x not in tokens]
    path = tmp_path / "model.gguf"
    entries = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": False,
    }
    path.write_bytes(gguf(entries))
    found = AutoTokenizer.from_pretrained(path).tokenize(text)
    assert found == [printable(piece) for piece in pieces]


def test_llama3_begins_texts_and_takes_words_whole(tmp_path):
    path = tmp_path / "model.gguf"
    entries = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": ["<s>", *"helo", "he", "hello"],
        "tokenizer.ggml.token_type": [3, 1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.merges": ["h e"],  # which do not lead to "hello"
        "tokenizer.ggml.bos_token_id": 0,
    }
    path.write_bytes(gguf(entries))
    assert AutoTokenizer.from_pretrained(path)("hello").tokens() == ["<s>", "hello"]
    path.write_bytes(gguf(entries | {"tokenizer.ggml.add_bos_token": False}))
    assert AutoTokenizer.from_pretrained(path)("hello").tokens() == ["hello"]
    path.write_bytes(gguf(entries | {"tokenizer.ggml.pre": "gpt-2"}))
    assert AutoTokenizer.from_pretrained(path)("hello").tokens() == ["he", "l", "l", "o"]


def test_languages(folders):
    nllb = AutoTokenizer.from_pretrained(
        folders["NllbTokenizer"], src_lang="fra_Latn", tgt_lang="deu_Latn"
    )
    both = nllb("bonjour", text_target="hallo")
    assert nllb.convert_ids_to_tokens(both["input_ids"][0]) == "fra_Latn"
    assert nllb.convert_ids_to_tokens(both["labels"][0]) == "deu_Latn"
    nllb.src_lang = "por_Latn"
    assert nllb("ola", truncation=True, max_length=4).tokens()[0] == "por_Latn"
    nllb.tgt_lang = None
    with pytest.raises(ValueError, match="tgt_lang"):
        nllb(text_target="hallo")


def test_bos_and_eos(folders):
    llama = AutoTokenizer.from_pretrained(folders["LlamaTokenizer"])
    assert llama("a").tokens()[0] == "<s>"
    llama.add_bos_token, llama.add_eos_token = False, True
    assert llama("a").tokens()[-1] == "</s>"
    assert llama("a", "b", truncation=True, max_length=9).tokens().count("</s>") == 2
    llama.eos_token = None
    with pytest.raises(ValueError, match="eos_token = None"):
        llama.update_post_processor()


def test_sentinels(folders):
    t5 = AutoTokenizer.from_pretrained(folders["T5Tokenizer"])
    assert len(t5.get_sentinel_tokens()) == len(set(t5.get_sentinel_token_ids())) == 100
    assert "<extra_id_0>" in t5.tokenize("a <extra_id_0> b")
    with pytest.raises(ValueError, match="extra_ids"):
        AutoTokenizer.from_pretrained(
            folders["T5Tokenizer"], additional_special_tokens=["<extra_id_0>"]
        )


def test_saving(bert, tmp_path):
    bert.add_tokens(["word"])
    bert.add_special_tokens({"bos_token": AddedToken("<bos>", lstrip=True)})
    bert.chat_template = {"default": "a", "tool_use": "b"}
    files = {path.rsplit("/", 1)[-1] for path in bert.save_pretrained(tmp_path / "all")}
    assert files == {
        *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("vocab.txt", "tokenizer.json"),
    }
    config = json.loads((tmp_path / "all" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "BertTokenizer"
    assert config["bos_token"] == "<bos>"
    assert config["chat_template"][0] == {"name": "default", "template": "a"}
    again = AutoTokenizer.from_pretrained(tmp_path / "all")
    assert again.chat_template == bert.chat_template
    assert again.added_tokens_encoder == bert.added_tokens_encoder
    bert.save_pretrained(tmp_path / "json", legacy_format=False, filename_prefix="my")
    assert {path.name for path in (tmp_path / "json").iterdir()} == {
        *("my-tokenizer_config.json", "my-special_tokens_map.json", "my-tokenizer.json")
    }
    with pytest.raises(ValueError, match="not a file"):
        bert.save_pretrained(tmp_path / "all" / "vocab.txt")
    plain = PreTrainedTokenizerFast(tokenizer_object=bert.backend_tokenizer)
    with pytest.raises(ValueError, match="legacy_format"):
        plain.save_pretrained(tmp_path, legacy_format=True)


def test_a_template_file_wins(saved):
    edit(saved / "tokenizer_config.json", chat_template="from the configuration")
    assert AutoTokenizer.from_pretrained(saved).chat_template == "from the configuration"
    (saved / "chat_template.jinja").write_text("from the file")
    assert AutoTokenizer.from_pretrained(saved).chat_template == "from the file"
    assert AutoTokenizer.from_pretrained(saved, chat_template="mine").chat_template == "mine"
