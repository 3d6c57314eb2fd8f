"""The tokenizer inside a GGUF file: its metadata `tokenizer.ggml.*` and `tokenizer.chat_template`.

Only the header is read; the tensors behind it are not touched. Which pre-tokenizer a name means
follows llama.cpp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
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

from ...checkpoints import GGUFFile
from .bpe import QWEN2_PATTERN, TIKTOKEN_PATTERN
from .sentencepiece import CONTROL, UNKNOWN, USER_DEFINED, merges_of
from .templates import add_tokens, set_template
from .unigram import SPACE, metaspace

_LLAMA3, _QWEN2 = TIKTOKEN_PATTERN, QWEN2_PATTERN
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
# Those that take a word of the vocabulary whole, whatever the merges say, and begin a text with the
# first token unless the file says otherwise.
_WHOLE_WORDS = {
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1"), _LLAMA3),
    **dict.fromkeys(("pixtral", "midm-2.0", "lfm2"), _LLAMA3),
    "tekken": _TEKKEN,
}
# `tokenizer.ggml.pre` -> pattern that splits the text, None for GPT-2's own.
_PATTERNS = {
    **_WHOLE_WORDS,
    **dict.fromkeys(("bloom", "gpt3-finnish"), _BLOOM),
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
    return GGUFFile(path).metadata


def gguf_tokenizer(path: str) -> tuple[Tokenizer, dict[str, Any]]:
    """Return the tokenizer of a GGUF file and the constructor's options that go with it."""
    metadata = read_metadata(path)
    ggml = {
        name.removeprefix("tokenizer.ggml."): x.tolist() if isinstance(x, np.ndarray) else x
        for name, x in metadata.items()
        if name.startswith("tokenizer.ggml.")
    }
    kind = ggml.get("model")
    if kind not in _BUILDERS or "tokens" not in ggml:
        raise ValueError(
            f"{path} holds no tokenizer of a known kind: tokenizer.ggml.model is {kind!r}, "
            f"expected one of {', '.join(_BUILDERS)}."
        )
    tokens = ggml["tokens"]
    try:
        tokenizer = _BUILDERS[kind](ggml)
    except Exception as error:  # also of the tokenizers library, which has no class for its errors
        raise ValueError(
            f"{path}: the parts of its tokenizer.ggml do not fit together: {error!r}"
        ) from error
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
        if isinstance(index, int) and 0 <= index < len(tokens):
            options[f"{role}_token"] = tokens[index]
    _set_bos_eos(tokenizer, ggml, options)
    if template := _chat_template(metadata):
        options["chat_template"] = template
    architecture = metadata.get("general.architecture", "")
    if isinstance(length := metadata.get(f"{architecture}.context_length"), int):
        options["model_max_length"] = length
    if kind != "bert":
        options["model_input_names"] = ["input_ids", "attention_mask"]
    return tokenizer, options


def _chat_template(metadata: dict[str, Any]) -> str | dict[str, str] | None:
    """The template, or templates by name if there are several."""
    names = metadata.get("tokenizer.chat_templates")
    keys = (
        {str(n): f"tokenizer.chat_template.{n}" for n in names} if isinstance(names, list) else {}
    )
    found = {
        name: metadata.get(key)
        for name, key in {"default": "tokenizer.chat_template", **keys}.items()
    }
    templates = {name: text for name, text in found.items() if isinstance(text, str)}
    return templates.get("default") if templates.keys() <= {"default"} else templates


def _set_bos_eos(tokenizer: Tokenizer, ggml: dict[str, Any], options: dict[str, Any]) -> None:
    begins = ggml["model"] == "llama" or _is_whole_words(ggml)
    bos = options.get("bos_token") if ggml.get("add_bos_token", begins) else None
    eos = options.get("eos_token") if ggml.get("add_eos_token", ggml["model"] == "t5") else None
    if ggml["model"] == "bert" or (bos is None and eos is None):
        return
    before, after = f"{bos}:{{0}} " if bos else "", f" {eos}:{{0}}" if eos else ""
    single = f"{before}$A:0{after}".format(0)
    set_template(tokenizer, single, f"{single} {f'{before}$B:1{after}'.format(1)}")


def _is_whole_words(ggml: dict[str, Any]) -> bool:
    return ggml["model"] == "gpt2" and ggml.get("pre") in _WHOLE_WORDS


def _byte_bpe(ggml: dict[str, Any]) -> Tokenizer:
    merges = [tuple(merge.split(" ")) for merge in ggml.get("merges", [])]
    vocabulary = {token: index for index, token in enumerate(ggml["tokens"])}
    model = models.BPE(vocab=vocabulary, merges=merges)
    if _is_whole_words(ggml) and hasattr(model, "ignore_merges"):
        model.ignore_merges = True
    tokenizer = Tokenizer(model)
    pre = ggml.get("pre", "default")
    pattern = _PATTERNS.get(pre)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    steps: list[Any] = [byte_level]
    if pattern is not None:
        steps.insert(0, _split(pattern))
    elif pre in _SINGLE_DIGITS:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    elif pre == "falcon":  # runs of punctuation first, and digits by threes at last
        steps.insert(0, _split(r"[\p{P}$+<=>^~|`]+"))
        steps.append(_split("[0-9][0-9][0-9]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    if pre in ("qwen2", "deepseek-r1-qwen"):
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _split(pattern: str) -> Any:
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


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
