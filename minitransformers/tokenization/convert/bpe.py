"""vocab.json and merges.txt: byte-level BPE of GPT-2 and its relatives, and tiktoken files."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from .templates import set_template, token_id

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
QWEN2_PATTERN = (
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TIKTOKEN_PATTERN = QWEN2_PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CLIP_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
# What follows in CLIP's merges file is not part of the model.
CLIP_MERGES = 49152 - 256 - 2

Merges = list[tuple[str, str]]


def read_bpe(options: dict[str, Any], limit: int | None = None) -> tuple[dict[str, int], Merges]:
    """Return (vocabulary, merges) of vocab_file and merges_file; ValueError names a bad line."""
    with open(options["vocab_file"], encoding="utf-8") as file:
        vocabulary = json.load(file)
    path = options["merges_file"]
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    # The first line is a version; the last is what follows the final newline.
    merges = []
    for number, line in enumerate(lines[1:-1][:limit], start=2):
        pair = tuple(line.split())
        if len(pair) != 2:
            raise ValueError(f"{path}, line {number}: expected two tokens, found {line!r}")
        merges.append(pair)
    return vocabulary, list(dict.fromkeys(merges))


def byte_level(options: dict[str, Any], template: str = "gpt2") -> Tokenizer:
    """Build byte-level BPE; the template is "gpt2", "roberta", "deberta" or "blenderbot"."""
    vocabulary, merges = read_bpe(options)
    model = models.BPE(
        vocab=vocabulary, merges=merges, continuing_subword_prefix="", end_of_word_suffix=""
    )
    tokenizer = Tokenizer(model)
    add_prefix_space = bool(options.get("add_prefix_space", False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    if template == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(
            _with_id(tokenizer, options["sep_token"]),
            _with_id(tokenizer, options["cls_token"]),
            add_prefix_space=add_prefix_space,
            trim_offsets=True,
        )
    elif template == "deberta":
        set_template(tokenizer, "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
    elif template == "blenderbot":
        eos = options["eos_token"]
        set_template(tokenizer, f"$A:0 {eos}:0", "$A:0 $B:1")
    elif options.get("add_bos_token"):
        bos = options["bos_token"]
        set_template(tokenizer, f"{bos}:0 $A:0", f"{bos}:0 $A:0 $B:1")
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def qwen2(options: dict[str, Any]) -> Tokenizer:
    """Build Qwen2's byte-level BPE: NFC, digits one by one."""
    vocabulary, merges = read_bpe(options)
    model = models.BPE(
        vocab=vocabulary, merges=merges, continuing_subword_prefix="", end_of_word_suffix=""
    )
    tokenizer = _split_bytes(Tokenizer(model), QWEN2_PATTERN)
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def clip(options: dict[str, Any]) -> Tokenizer:
    """Build CLIP's lower-cased BPE, whose words end in </w>."""
    vocabulary, merges = read_bpe(options, limit=CLIP_MERGES)
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=str(options["unk_token"]),
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        _with_id(tokenizer, options["eos_token"]),
        _with_id(tokenizer, options["bos_token"]),
        add_prefix_space=False,
        trim_offsets=False,
    )
    return tokenizer


def word_bpe(options: dict[str, Any], lowercase: bool) -> Tokenizer:
    """Build BPE over words that end in </w>: GPT-1 (lower-cased), HerBERT."""
    vocabulary, merges = read_bpe(options)
    unk = str(options["unk_token"])
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token=unk, end_of_word_suffix="</w>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    if lowercase:
        if unk in vocabulary:
            tokenizer.add_special_tokens([unk])
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    else:
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        tokenizer.post_processor = processors.BertProcessing(
            _with_id(tokenizer, options["sep_token"]), _with_id(tokenizer, options["cls_token"])
        )
    return tokenizer


def _with_id(tokenizer: Tokenizer, token: Any) -> tuple[str, int]:
    return str(token), token_id(tokenizer, token)


def _split_bytes(tokenizer: Tokenizer, pattern: str) -> Tokenizer:
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


# -- tiktoken -----------------------------------------------------------------------------------


def byte_characters() -> list[str]:
    """Return for each byte the printable character that stands for it in byte-level BPE."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def read_tiktoken(path: str) -> dict[bytes, int]:
    """Return token -> rank of a tiktoken file: lines of base64 and a number."""
    ranks = {}
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
            except (ValueError, binascii.Error) as error:
                raise ValueError(
                    f"{path}, line {number}: not a line of a tiktoken file, nor is this a "
                    "sentencepiece model"
                ) from error
    return ranks


def tiktoken(options: dict[str, Any], pattern: str = TIKTOKEN_PATTERN) -> Tokenizer:
    """Build byte-level BPE from a tiktoken file; merges follow from the ranks."""
    ranks = read_tiktoken(options["vocab_file"])
    characters = byte_characters()

    def printable(token: bytes) -> str:
        return "".join(characters[byte] for byte in token)

    merges = []
    for token, rank in ranks.items():
        parts = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [(left, right) for left, right in parts if left in ranks and right in ranks]
        known.sort(key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
        merges += [(rank, printable(left), printable(right)) for left, right in known]
    merges.sort(key=lambda merge: merge[0])
    model = models.BPE(
        vocab={printable(token): rank for token, rank in ranks.items()},
        merges=[(left, right) for _, left, right in merges],
    )
    if hasattr(model, "ignore_merges"):
        model.ignore_merges = True
    tokenizer = _split_bytes(Tokenizer(model), pattern)
    tokenizer.add_special_tokens(list(options.get("additional_special_tokens") or []))
    return tokenizer
