"""The tokenizers of translation models that cut with sentencepiece and number with vocab.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer, models

from .convert.languages import M2M100_CODES, WMT21_CODES
from .convert.unigram import SPACE
from .encoding import BatchEncoding
from .loading import read_json
from .python_tokenizer import PythonTokenizer, json_vocabulary
from .segmenter import Segmenter


def _join(tokens: list[str], special: set[str], segmenter: Segmenter, behind: str = "") -> str:
    """Join pieces into text; special tokens stand apart, with `behind` behind each."""
    text = ""
    run: list[str] = []
    for token in tokens:
        if token in special:
            text += segmenter.join(run) + token + behind
            run = []
        else:
            run.append(token)
    return text + segmenter.join(run)


class MarianTokenizer(PythonTokenizer):
    """Marian: source.spm and target.spm cut, vocab.json numbers; `>>code<<` chooses a language."""

    vocab_files_names = {
        "source_spm": "source.spm",
        "target_spm": "target.spm",
        "vocab": "vocab.json",
        "target_vocab_file": "target_vocab.json",
    }
    optional_files = frozenset({"target_vocab_file"})
    defaults = {
        "source_lang": None,
        "target_lang": None,
        "unk_token": "<unk>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "model_max_length": 512,
        "separate_vocabs": False,
    }
    _CODE = re.compile(">>.+<<")

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the vocabulary."""
        vocabulary = read_json(options["vocab"])
        unk = str(options["unk_token"])
        if unk not in vocabulary or str(options["pad_token"]) not in vocabulary:
            raise KeyError(f"{options['vocab']} must hold {unk} and {options['pad_token']}")
        return Tokenizer(models.WordLevel(vocabulary, unk_token=unk))

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self._source, self._target = (Segmenter(options[f"{x}_spm"]) for x in ("source", "target"))
        self.source_lang, self.target_lang = options["source_lang"], options["target_lang"]
        self.suffix_tokens = [self.eos_token_id]
        self.separate_vocabs = bool(options["separate_vocabs"])
        self._target_vocabulary = self._vocabulary
        self.supported_language_codes: list[str] = []
        if self.separate_vocabs:
            self._target_vocabulary = read_json(options["target_vocab_file"])
            # Ids are read as the model writes them.
            self._tokens = {index: token for token, index in self._target_vocabulary.items()}
        else:
            codes = (token for token in self._vocabulary if token.startswith(">>"))
            self.supported_language_codes = [code for code in codes if code.endswith("<<")]

    def _vocabulary_files(self) -> dict[str, bytes]:
        files = {"source_spm": self._source.data, "target_spm": self._target.data}
        files["vocab"] = json_vocabulary(self._vocabulary)
        if self.separate_vocabs:
            files["target_vocab_file"] = json_vocabulary(self._target_vocabulary)
        return files

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        code = self._CODE.match(text)
        pieces = (self._target if as_target else self._source).cut(self._CODE.sub("", text))
        return pieces if code is None else [code.group(0), *pieces]

    def _numbered(self, tokens: list[str], as_target: bool) -> list[int]:
        if not (as_target and self.separate_vocabs):
            return super()._numbered(tokens, as_target)
        added, known = self._added, self._target_vocabulary
        unk = known[str(self._unk_token)]
        return [self._ids[t] if t in added else known.get(t, unk) for t in tokens]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces of the target side into text; a space stands behind special tokens."""
        return self._joined(tokens)

    def _joined(self, tokens: list[str], use_source_tokenizer: bool = False, **_: Any) -> str:
        segmenter = self._source if use_source_tokenizer else self._target
        text = _join(tokens, set(self.all_special_tokens), segmenter, " ")
        return text.replace(SPACE, " ").strip()

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 for special ids other than unk, in the text too, and for the eos behind it."""
        special = set(self.all_special_ids) - {self.unk_token_id}
        second = () if already_has_special_tokens else (*(token_ids_1 or ()), self.eos_token_id)
        return [int(index in special) for index in (*token_ids_0, *second)]


class M2M100Tokenizer(PythonTokenizer):
    """M2M100: language token, text, </s>; vocab.json numbers, the language tokens follow it."""

    vocab_files_names = {"vocab_file": "vocab.json", "spm_file": "sentencepiece.bpe.model"}
    defaults = {
        "src_lang": None,
        "tgt_lang": None,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "language_codes": "m2m100",
        "num_madeup_words": 8,
    }

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the vocabulary."""
        vocabulary = read_json(options["vocab_file"])
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))
        tokenizer.add_special_tokens(_language_tokens(options))
        return tokenizer

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        if options.get("additional_special_tokens") is None:
            options["additional_special_tokens"] = _language_tokens(options)

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self._segmenter = Segmenter(options["spm_file"])
        self.tgt_lang: str | None = options["tgt_lang"]
        self.src_lang = options["src_lang"] or "en"

    @property
    def src_lang(self) -> str:
        """The code of the language of the texts."""
        return self._src_lang

    @src_lang.setter
    def src_lang(self, value: str) -> None:
        self._src_lang = value
        self.set_src_lang_special_tokens(value)

    def set_src_lang_special_tokens(self, src_lang: str) -> None:
        """Put the token of a language before every text from now on."""
        self.prefix_tokens = [self.get_lang_id(src_lang)]
        self.suffix_tokens = [self.eos_token_id]

    set_tgt_lang_special_tokens = set_src_lang_special_tokens

    def get_lang_token(self, lang: str) -> str:
        """Return the token of a language code."""
        return f"__{lang}__"

    def get_lang_id(self, lang: str) -> int:
        """Return the id of a language code."""
        index = self._backend.tokenizer.token_to_id(self.get_lang_token(lang))
        if index is None:
            raise ValueError(f"{lang!r} is not a language of this tokenizer.")
        return index

    def _vocabulary_files(self) -> dict[str, bytes]:
        vocabulary = json_vocabulary(self._vocabulary)
        return {"vocab_file": vocabulary, "spm_file": self._segmenter.data}

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return self._segmenter.cut(text)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces into text; special tokens stand in it as they are."""
        return _join(tokens, set(self.all_special_tokens), self._segmenter).strip()

    def _encode_rows(self, rows: list[Any], *, batched: bool, **options: Any) -> BatchEncoding:
        if not options.get("as_target"):
            return super()._encode_rows(rows, batched=batched, **options)
        if self.tgt_lang is None:
            raise ValueError(
                "text_target needs the target language: set `tokenizer.tgt_lang`, e.g. 'fr'."
            )
        encoded = super()._encode_rows(rows, batched=batched, **options)
        if options.get("add_special_tokens", True):
            _replace_first(encoded, self.prefix_tokens[0], self.get_lang_id(self.tgt_lang))
        return encoded

    def _build_translation_inputs(
        self, raw_inputs: Any, src_lang: str, tgt_lang: str, **options: Any
    ) -> BatchEncoding:
        if src_lang is None or tgt_lang is None:
            raise ValueError("Translation requires a `src_lang` and a `tgt_lang` for this model")
        self.src_lang = src_lang
        inputs = self(raw_inputs, add_special_tokens=True, **options)
        inputs["forced_bos_token_id"] = self.get_lang_id(tgt_lang)
        return inputs


def _language_tokens(options: dict[str, Any]) -> list[str]:
    codes = {"m2m100": M2M100_CODES, "wmt21": WMT21_CODES}[options["language_codes"]]
    return [f"__{code}__" for code in codes]


def _replace_first(encoded: BatchEncoding, old: int, new: int) -> None:
    """Replace the first `old` id of every row, in place."""
    rows = encoded["input_ids"]
    for row in rows if len(rows) and not isinstance(rows[0], int) else [rows]:
        row[list(row).index(old)] = new
