"""Tokenizers that cut with one model and number with another: Marian, M2M100, and ByT5's bytes.

The reference has them in Python only: there is no alignment to the text (`is_fast` is False), and
truncation follows `prepare_for_model`. Cutting is still done in Rust; each piece is then looked up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
)

from .calling import EmptyBatchError
from .convert.languages import M2M100_CODES, WMT21_CODES
from .convert.sentencepiece import (
    BYTE,
    NORMAL,
    UNIGRAM,
    USER_DEFINED,
    SentencePieceModel,
    merges_of,
    read_sentencepiece,
)
from .convert.templates import add_tokens
from .convert.unigram import SPACE, metaspace
from .encoding import BatchEncoding
from .tokenizer import PreTrainedTokenizerFast

IDS, MASK = "input_ids", "attention_mask"
_TEXT = -1  # stands for an id of a text


def segmenting_model(model: SentencePieceModel) -> Any:
    """Return the Rust model that cuts text into the pieces of a sentencepiece model."""
    # Only these pieces are found in text; the others keep their ids under names no text holds.
    found = (NORMAL, USER_DEFINED)
    kept = (*found, BYTE) if model.byte_fallback else found
    texts = [
        piece.text if piece.type in kept else f"\U0010ffff{index}"
        for index, piece in enumerate(model.pieces)
    ]
    extra = {"byte_fallback": True} if model.byte_fallback else {}
    if model.model_type == UNIGRAM:
        scores = [piece.score for piece in model.pieces]
        return models.Unigram(list(zip(texts, scores)), unk_id=model.unk_id, **extra)
    vocabulary = {text: index for index, text in enumerate(texts)}
    scored = [(piece.text, piece.score) for piece in model.pieces if piece.type in found]
    merges = merges_of(vocabulary, scored)
    unk = texts[model.unk_id]
    return models.BPE(vocabulary, merges, unk_token=unk, fuse_unk=True, **extra)


def load_segmenter(path: str) -> Tokenizer:
    """Return a Rust tokenizer that cuts text as sentencepiece does."""
    model = read_sentencepiece(path)
    tokenizer = Tokenizer(segmenting_model(model))
    steps: list[Any] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.remove_extra_whitespaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    scheme = "always" if model.add_dummy_prefix else "never"
    tokenizer.pre_tokenizer = metaspace(pre_tokenizers.Metaspace, scheme)
    return tokenizer


class SegmentedTokenizer(PreTrainedTokenizerFast):
    """Cuts text with a segmenter, numbers the pieces with a vocabulary of whole tokens."""

    is_fast = False
    saves_vocabulary = True
    vocab_files_names: dict[str, str] = {}
    model_input_names = [IDS, MASK]
    # What stands around the ids of a text.
    prefix_tokens: list[int] = []
    suffix_tokens: list[int] = []

    def _tokenize(self, text: str, as_target: bool = False) -> list[str]:
        raise NotImplementedError

    def _to_ids(self, text: Any, split: bool, how: dict[str, bool]) -> list[int]:
        """Return the ids of a text, of words, of tokens, or of ids themselves.

        how: the keywords of `_tokenize` that the call asks for.
        """
        if isinstance(text, str):
            return self.convert_tokens_to_ids(self._tokenize(text, **how))
        if split:
            pieces = [piece for word in text for piece in self._tokenize(word, **how)]
            return self.convert_tokens_to_ids(pieces)
        if text and isinstance(text[0], int):
            return list(text)
        return self.convert_tokens_to_ids(list(text))

    def _encode_rows(self, rows: list[Any], *, batched: bool, **options: Any) -> BatchEncoding:
        if options.pop("return_offsets_mapping", False):
            raise NotImplementedError(
                "return_offsets_mapping is not available: this tokenizer keeps no alignment "
                "between tokens and text."
            )
        if not rows:
            raise EmptyBatchError("The batch of texts is empty: there is nothing to encode.")
        split = options.pop("is_split_into_words", False)
        how = self._tokenizing(options, batched)
        pairs = [self._pair_of_ids(row, split, how) for row in rows]
        return_tensors = options.pop("return_tensors", None)
        if not batched:
            return self.prepare_for_model(
                *pairs[0],
                **options,
                return_tensors=return_tensors,
                prepend_batch_axis=return_tensors is not None,
            )
        plan = self._plan(
            options.pop("padding", False),
            options.pop("truncation", None),
            options.pop("max_length", None),
            options.get("pad_to_multiple_of"),
            options.get("verbose", True),
        )
        multiple, side = options.pop("pad_to_multiple_of", None), options.pop("padding_side", None)
        mask = options.pop("return_attention_mask", None)
        options |= {"truncation": plan.truncation, "max_length": plan.max_length}
        options["return_attention_mask"] = False
        encodings = [self.prepare_for_model(*pair, **options) for pair in pairs]
        data = {name: [row[name] for row in encodings] for name in encodings[0]}
        return self._pad_lists(data, plan, multiple, side, mask, return_tensors)

    def _tokenizing(self, options: dict[str, Any], batched: bool) -> dict[str, bool]:
        """Take out of a call's options what `_tokenize` must know."""
        options.pop("split_special_tokens", None)
        return {"as_target": options.pop("as_target", False)}

    def _pair_of_ids(
        self, row: Any, split: bool, how: dict[str, bool]
    ) -> tuple[list[int], list[int] | None]:
        """Return the ids of a row's first and second text."""
        words = split and not (isinstance(row, list) and row and isinstance(row[0], list))
        paired = isinstance(row, tuple) or (isinstance(row, list) and len(row) == 2 and not words)
        text, pair = row if paired else (row, None)
        ids = self._to_ids(text, split, how)
        return ids, None if pair is None else self._to_ids(pair, split, how)

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """Return the tokens of a text as strings."""
        return self._tokenize(text)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return how many special tokens a text (or a pair) gets."""
        return len(self.build_inputs_with_special_tokens([], [] if pair else None))

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        return [*self.prefix_tokens, *token_ids_0, *(token_ids_1 or []), *self.suffix_tokens]

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 where a special token stands, or will stand, and 0 elsewhere."""
        if already_has_special_tokens:
            return super().get_special_tokens_mask(token_ids_0, token_ids_1, True)
        second = None if token_ids_1 is None else [_TEXT] * len(token_ids_1)
        ids = self.build_inputs_with_special_tokens([_TEXT] * len(token_ids_0), second)
        return [int(index != _TEXT) for index in ids]

    def _decode_ids(self, ids: list[int], skip_special_tokens: bool, **_: Any) -> str:
        tokens = self.convert_ids_to_tokens(ids, skip_special_tokens)
        return self.convert_tokens_to_string([token for token in tokens if token is not None])

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces into text; special tokens stand apart."""
        special = set(self.all_special_tokens)
        parts: list[str] = []
        current: list[str] = []
        for token in tokens:
            if token in special:
                parts += [_join_pieces(current), self._special_in_text(token)]
                current = []
            else:
                current.append(token)
        text = "".join([*parts, _join_pieces(current)])
        return text.replace(SPACE, " ").strip()

    @staticmethod
    def _special_in_text(token: str) -> str:
        return token


def _join_pieces(pieces: list[str]) -> str:
    text = "".join(pieces).replace(SPACE, " ")
    return text.removeprefix(" ")


class SentencePieceSegmented(SegmentedTokenizer):
    """Cuts with sentencepiece models; knows the special tokens in running text."""

    segmenter_roles: tuple[str, ...] = ()

    def _finish(self, options: dict[str, Any]) -> None:
        self._segmenters = [load_segmenter(options[role]) for role in self.segmenter_roles]
        self._add_to_segmenters(
            [
                token
                for _, token in sorted(self._backend.tokenizer.get_added_tokens_decoder().items())
            ]
        )

    def _add_to_segmenters(self, tokens: Sequence[str | AddedToken]) -> None:
        for segmenter in self._segmenters:
            add_tokens(segmenter, tokens)

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Add tokens that the vocabulary lacks, at its end; return how many were new."""
        added = super().add_tokens(new_tokens, special_tokens)
        if "_segmenters" in vars(self):
            self._add_to_segmenters(
                new_tokens if isinstance(new_tokens, (list, tuple)) else [new_tokens]
            )
        return added

    def _tokenize(self, text: str, as_target: bool = False) -> list[str]:
        segmenter = self._segmenters[-1 if as_target else 0]
        return segmenter.encode(text, add_special_tokens=False).tokens


class MarianTokenizer(SentencePieceSegmented):
    """Marian: source.spm and target.spm cut, vocab.json numbers; `>>code<<` chooses a language."""

    vocab_files_names = {
        "source_spm": "source.spm",
        "target_spm": "target.spm",
        "vocab": "vocab.json",
        "target_vocab_file": "target_vocab.json",
    }
    optional_files = frozenset({"target_vocab_file"})
    segmenter_roles = ("source_spm", "target_spm")
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
        with open(options["vocab"], encoding="utf-8") as file:
            vocabulary = json.load(file)
        unk = str(options["unk_token"])
        if unk not in vocabulary or str(options["pad_token"]) not in vocabulary:
            raise KeyError(f"{options['vocab']} must hold {unk} and {options['pad_token']}")
        return Tokenizer(models.WordLevel(vocabulary, unk_token=unk))

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self.source_lang, self.target_lang = options["source_lang"], options["target_lang"]
        self.suffix_tokens = [self.eos_token_id]
        self.separate_vocabs = bool(options["separate_vocabs"])
        self._target_vocab: dict[str, int] | None = None
        if self.separate_vocabs:
            with open(options["target_vocab_file"], encoding="utf-8") as file:
                self._target_vocab = json.load(file)
        codes = (token for token in self.get_vocab() if token.startswith(">>"))
        self.supported_language_codes = (
            [] if self.separate_vocabs else [code for code in codes if code.endswith("<<")]
        )

    def _tokenize(self, text: str, as_target: bool = False) -> list[str]:
        code = self._CODE.match(text)
        if code is None:
            return super()._tokenize(self._CODE.sub("", text), as_target)
        return [code.group(0), *super()._tokenize(self._CODE.sub("", text), as_target)]

    def _to_ids(self, text: Any, split: bool, how: dict[str, bool]) -> list[int]:
        if how["as_target"] and self._target_vocab is not None and isinstance(text, str):
            unk = self._target_vocab[str(self._unk_token)]
            return [self._target_vocab.get(t, unk) for t in self._tokenize(text, **how)]
        return super()._to_ids(text, split, how)

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or the tokens of a list; of the target side if it has ids."""
        if self._target_vocab is None:
            return super().convert_ids_to_tokens(ids, skip_special_tokens)
        tokens = {index: token for token, index in self._target_vocab.items()}
        if isinstance(ids, int):
            return tokens.get(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [tokens.get(int(index)) for index in ids if int(index) not in skipped]

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 for special ids other than unk, in the text too, and for the eos behind it."""
        special = set(self.all_special_ids) - {self.unk_token_id}
        mask = [int(index in special) for index in (*token_ids_0, *(token_ids_1 or ()))]
        return mask if already_has_special_tokens else [*mask, 1]

    @staticmethod
    def _special_in_text(token: str) -> str:
        return f"{token} "


class M2M100Tokenizer(SentencePieceSegmented):
    """M2M100: language token, text, </s>; vocab.json numbers, the language tokens follow it."""

    vocab_files_names = {"vocab_file": "vocab.json", "spm_file": "sentencepiece.bpe.model"}
    segmenter_roles = ("spm_file",)
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
        with open(options["vocab_file"], encoding="utf-8") as file:
            vocabulary = json.load(file)
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))
        tokenizer.add_special_tokens(_language_tokens(options))
        return tokenizer

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        given = list(options.get("additional_special_tokens") or [])
        tokens = _language_tokens(options)
        options["additional_special_tokens"] = given + [t for t in tokens if t not in given]

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
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
    rows = encoded[IDS]
    for row in rows if len(rows) and not isinstance(rows[0], int) else [rows]:
        row[list(row).index(old)] = new


class ByT5Tokenizer(SegmentedTokenizer):
    """ByT5: the bytes of UTF-8, behind three special tokens."""

    defaults = {
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "extra_ids": 125,
        "additional_special_tokens": None,
    }
    needs_no_files = True

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the 256 bytes as characters."""
        special = [str(options[f"{role}_token"]) for role in ("pad", "eos", "unk")]
        vocabulary = {token: index for index, token in enumerate(special)}
        vocabulary.update({chr(byte): byte + 3 for byte in range(256)})
        return Tokenizer(models.WordLevel(vocabulary, unk_token=special[2]))

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        count, given = options["extra_ids"], options.get("additional_special_tokens")
        if given is None:
            options["additional_special_tokens"] = [f"<extra_id_{i}>" for i in range(count)]
        for role in ("pad", "eos", "unk"):
            token = options[f"{role}_token"]
            if isinstance(token, str):
                options[f"{role}_token"] = AddedToken(token, lstrip=True, rstrip=True)

    def _finish(self, options: dict[str, Any]) -> None:
        self.suffix_tokens = [self.eos_token_id]

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return `text </s>` or `text </s> text </s>`, without doubling a final </s>."""
        eos = self.eos_token_id
        texts = [ids for ids in (token_ids_0, token_ids_1) if ids is not None]
        return [i for ids in texts for i in (ids if ids and ids[-1] == eos else [*ids, eos])]

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Return 1 where a special token stands, or will stand, and 0 elsewhere."""
        if already_has_special_tokens:
            return super().get_special_tokens_mask(token_ids_0, token_ids_1, True)
        texts = [ids for ids in (token_ids_0, token_ids_1) if ids is not None]
        return [flag for ids in texts for flag in (*[0] * len(ids), 1)]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return zeros."""
        return [0] * len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))

    @property
    def vocab_size(self) -> int:
        """The number of bytes."""
        return 256

    def _tokenize(self, text: str, as_target: bool = False) -> list[str]:
        tokens: list[str] = []
        for part in re.split(self._pattern_of_added(), text):
            stripped = part.strip()
            if stripped in self.added_tokens_encoder:
                tokens.append(stripped)
            else:
                tokens += [chr(byte) for byte in part.encode()]
        return tokens

    def _pattern_of_added(self) -> str:
        """Return a pattern that finds added tokens, with the spaces that they swallow."""
        added = sorted(self.added_tokens_decoder.values(), key=lambda token: -len(token.content))
        found = (
            (r"\s*" if token.lstrip else "")
            + re.escape(token.content)
            + (r"\s*" if token.rstrip else "")
            for token in added
        )
        return f"({'|'.join(found)})"

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join the bytes and decode them, dropping what is not UTF-8."""
        added = self.added_tokens_encoder
        data = b"".join(
            token.encode() if token in added else bytes([ord(token)]) for token in tokens
        )
        return data.decode(errors="ignore")
