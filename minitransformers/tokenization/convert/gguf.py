"""The tokenizer inside a GGUF file: its metadata `tokenizer.ggml.*` and `tokenizer.chat_template`.

Only the header is read; the tensors behind it are not touched. The format is that of ggml's
`docs/gguf.md`; which pre-tokenizer a name means follows llama.cpp.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from .bpe import QWEN2_PATTERN, TIKTOKEN_PATTERN
from .sentencepiece import CONTROL, UNKNOWN, USER_DEFINED, merges_of
from .templates import add_tokens, set_template
from .unigram import SPACE, metaspace

_MAGIC = b"GGUF"
_MAX_COUNT = 10_000_000  # of entries in an array, or characters in a string
# Type code -> struct format; 8 is a string, 9 an array.
_SCALARS = dict(enumerate(("B", "b", "H", "h", "I", "i", "f", "?"))) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

_LLAMA3, _QWEN2 = TIKTOKEN_PATTERN, QWEN2_PATTERN
# `tokenizer.ggml.pre` -> pattern that splits the text, None for GPT-2's own.
_PATTERNS = {
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "smaug-bpe": _LLAMA3,
    "dbrx": _LLAMA3,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "stablelm2": _QWEN2,
}
# Those that take digits one by one before GPT-2's pattern.
_SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}


def read_metadata(path: str) -> dict[str, Any]:
    """Return the key-value pairs of a GGUF file; ValueError names the file if it is none."""
    with open(path, "rb") as file:
        try:
            if file.read(4) != _MAGIC:
                raise ValueError("it does not begin with GGUF")
            version, _, count = struct.unpack("<IQQ", _exactly(file, 20))
            if version not in (2, 3):
                raise ValueError(f"its version is {version}, expected 2 or 3")
            if count > _MAX_COUNT:
                raise ValueError(f"it announces {count} entries")
            return {_string(file): _value(file, _number(file, "I")) for _ in range(count)}
        except (ValueError, struct.error) as error:
            raise ValueError(f"{path} is not a readable GGUF file: {error}") from error


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it is cut off")
    return data


def _number(file: BinaryIO, code: str) -> Any:
    return struct.unpack(f"<{code}", _exactly(file, struct.calcsize(code)))[0]


def _string(file: BinaryIO) -> str:
    size = _number(file, "Q")
    if size > _MAX_COUNT:
        raise ValueError(f"it announces a text of {size} bytes")
    return _exactly(file, size).decode("utf-8", errors="replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        item, count = _number(file, "I"), _number(file, "Q")
        if count > _MAX_COUNT:
            raise ValueError(f"it announces an array of {count} values")
        if item in _SCALARS:
            size = count * struct.calcsize(_SCALARS[item])
            return list(struct.unpack(f"<{count}{_SCALARS[item]}", _exactly(file, size)))
        return [_value(file, item) for _ in range(count)]
    if kind not in _SCALARS:
        raise ValueError(f"it holds a value of unknown type {kind}")
    return _number(file, _SCALARS[kind])


def gguf_tokenizer(path: str) -> tuple[Tokenizer, dict[str, Any]]:
    """Return the tokenizer of a GGUF file and the constructor's options that go with it."""
    metadata = read_metadata(path)
    ggml = {
        name.removeprefix("tokenizer.ggml."): value
        for name, value in metadata.items()
        if name.startswith("tokenizer.ggml.")
    }
    kind = ggml.get("model")
    if kind not in _BUILDERS or "tokens" not in ggml:
        raise ValueError(
            f"{path} holds no tokenizer of a known kind: tokenizer.ggml.model is {kind!r}, "
            f"expected one of {', '.join(_BUILDERS)}."
        )
    tokens = ggml["tokens"]
    tokenizer = _BUILDERS[kind](ggml)
    types = ggml.get("token_type") or [1] * len(tokens)
    added = [
        AddedToken(token, normalized=False, special=type_ == CONTROL)
        for token, type_ in zip(tokens, types)
        if type_ in (CONTROL, USER_DEFINED)
    ]
    add_tokens(tokenizer, added)
    options: dict[str, Any] = {"clean_up_tokenization_spaces": False}
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding"}
    for role, name in {**names, "cls": "cls", "mask": "mask"}.items():
        index = ggml.get(f"{name}_token_id")
        if index is not None and 0 <= index < len(tokens):
            options[f"{role}_token"] = tokens[index]
    _set_bos_eos(tokenizer, ggml, options)
    if "tokenizer.chat_template" in metadata:
        options["chat_template"] = metadata["tokenizer.chat_template"]
    architecture = metadata.get("general.architecture", "")
    if (length := metadata.get(f"{architecture}.context_length")) is not None:
        options["model_max_length"] = length
    if kind != "bert":
        options["model_input_names"] = ["input_ids", "attention_mask"]
    return tokenizer, options


def _set_bos_eos(tokenizer: Tokenizer, ggml: dict[str, Any], options: dict[str, Any]) -> None:
    llama = ggml["model"] == "llama"
    bos = options.get("bos_token") if ggml.get("add_bos_token", llama) else None
    eos = options.get("eos_token") if ggml.get("add_eos_token", ggml["model"] == "t5") else None
    if ggml["model"] == "bert" or (bos is None and eos is None):
        return
    before, after = f"{bos}:{{0}} " if bos else "", f" {eos}:{{0}}" if eos else ""
    single = f"{before}$A:0{after}".format(0)
    set_template(tokenizer, single, f"{single} {f'{before}$B:1{after}'.format(1)}")


def _byte_bpe(ggml: dict[str, Any]) -> Tokenizer:
    merges = [tuple(merge.split(" ")) for merge in ggml["merges"]]
    vocabulary = {token: index for index, token in enumerate(ggml["tokens"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    pre = ggml.get("pre", "default")
    pattern = _PATTERNS.get(pre)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    steps: list[Any] = [byte_level]
    if pattern is not None:
        steps.insert(0, pre_tokenizers.Split(Regex(pattern), behavior="isolated"))
    elif pre in _SINGLE_DIGITS:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    if pre in ("qwen2", "deepseek-r1-qwen"):
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _sentencepiece_bpe(ggml: dict[str, Any]) -> Tokenizer:
    tokens, prefix = ggml["tokens"], ggml.get("add_space_prefix", True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    types = ggml.get("token_type") or []
    unk = next((tokens[i] for i, type_ in enumerate(types) if type_ == UNKNOWN), tokens[0])
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges_of(vocabulary, list(zip(tokens, ggml["scores"]))),
            unk_token=unk,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    first = [normalizers.Prepend(SPACE)] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*first, normalizers.Replace(" ", SPACE)])
    last = [decoders.Strip(content=" ", left=1)] if prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *last]
    )
    return tokenizer


def _unigram(ggml: dict[str, Any]) -> Tokenizer:
    scores = list(zip(ggml["tokens"], ggml["scores"]))
    unk_id = ggml.get("unknown_token_id", 0)
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=unk_id))
    charsmap = bytes(value & 0xFF for value in ggml.get("precompiled_charsmap") or [])
    steps = [normalizers.Precompiled(charsmap)] if charsmap else []
    tokenizer.normalizer = normalizers.Sequence(
        [*steps, normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = metaspace(pre_tokenizers.Metaspace, "always")
    tokenizer.decoder = metaspace(decoders.Metaspace, "always")
    return tokenizer


def _wordpiece(ggml: dict[str, Any]) -> Tokenizer:
    # Words begin with the space mark here, where BERT marks what continues them.
    tokens = [
        token[1:] if token.startswith(SPACE) else token if token.startswith("[") else f"##{token}"
        for token in ggml["tokens"]
    ]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    set_template(tokenizer, "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
    return tokenizer


_BUILDERS = {
    "gpt2": _byte_bpe,
    "llama": _sentencepiece_bpe,
    "t5": _unigram,
    "bert": _wordpiece,
}
