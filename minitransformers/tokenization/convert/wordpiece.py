"""vocab.txt: one token a line, for BERT and its relatives."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from .templates import set_template

# (single, pair) around the texts; {cls}, {sep} and {question} are the tokenizer's own tokens.
TEMPLATES = {
    "bert": ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1"),
    "funnel": ("{cls}:2 $A:0 {sep}:0", "{cls}:2 $A:0 {sep}:0 $B:1 {sep}:1"),
    "mpnet": ("{cls}:0 $A:0 {sep}:0", "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:1 {sep}:1"),
    "prophetnet": ("$A:0 {sep}:0", "$A:0 {sep}:0 $B:1 {sep}:1"),
    "splinter": (
        "{cls}:0 $A:0 {sep}:0",
        "{cls}:0 $A:0 {question}:0 .:0 {sep}:0 $B:1 {sep}:1",
    ),
}


def read_vocabulary(path: str) -> dict[str, int]:
    """Return token -> line number."""
    with open(path, encoding="utf-8") as file:
        return {line.rstrip("\n"): number for number, line in enumerate(file)}


def wordpiece(options: dict[str, Any], template: str = "bert", cleanup: bool = True) -> Tokenizer:
    """Build WordPiece from `options`: vocab_file, do_lower_case, strip_accents, ..., tokens.

    cleanup: whether decoding always joins punctuation to the word before it
    """
    tokenizer = Tokenizer(
        models.WordPiece(
            read_vocabulary(options["vocab_file"]), unk_token=str(options["unk_token"])
        )
    )
    basic = options.get("do_basic_tokenize", True)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=basic and options.get("tokenize_chinese_chars", True),
        strip_accents=options.get("strip_accents") if basic else False,
        lowercase=basic and options.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=cleanup)
    names = {
        "cls": options["cls_token"],
        "sep": options["sep_token"],
        "question": options.get("question_token"),
    }
    single, pair = (text.format(**names) for text in TEMPLATES[template])
    set_template(tokenizer, single, pair)
    return tokenizer


def word_level(options: dict[str, Any]) -> Tokenizer:
    """Build a tokenizer of whole words, split at whitespace, from a vocab.json or vocab.txt."""
    import json

    path = options["vocab_file"]
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            vocabulary = json.load(file)
    else:
        vocabulary = read_vocabulary(path)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer
