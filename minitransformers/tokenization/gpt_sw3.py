"""GPT-SW3's tokenizer: text is cleaned of what cannot be seen, then cut by sentencepiece."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, models, normalizers

from .convert.sentencepiece import BYTE, CONTROL, USER_DEFINED, read_sentencepiece
from .convert.unigram import SPACE
from .python_tokenizer import PythonTokenizer
from .segmented import segmenting_model

# Control characters other than tabs and line feeds, and spaces without width.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u200b]")
_SPACES = re.compile("[\u2002\u2003\u2005\u2008-\u200a\u202f\u3000\ufffc]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
# What sentencepiece writes for its unknown piece.
_UNKNOWN = " \u2047 "


class GPTSw3Tokenizer(PythonTokenizer):
    """Sentencepiece with bytes for unknown characters; no special tokens around texts."""

    vocab_files_names = {"vocab_file": "spiece.model"}
    defaults: dict[str, Any] = {
        "do_lower_case": False,
        "remove_space": False,
        "keep_accents": False,
        "sp_model_kwargs": None,
    }

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        if (options["sp_model_kwargs"] or {}).get("enable_sampling"):
            raise ValueError(
                "sp_model_kwargs: sampling is not available, a text is always cut the same way."
            )
        options["sp_model_kwargs"] = options["sp_model_kwargs"] or {}
        eos, unk = options.get("eos_token"), options.get("unk_token")
        eos, unk = "<|endoftext|>" if eos is None else eos, "<unk>" if unk is None else unk
        # The largest of the first models has fewer special tokens, and its name tells.
        few = "gpt-sw3-7b" in (options.get("name_or_path") or "")
        tokens = {"eos": eos, "unk": unk}
        tokens |= {"pad": unk, "bos": eos} if few else {"pad": "<pad>", "bos": "<s>"}
        for role, token in tokens.items():
            if options.get(f"{role}_token") is None:
                options[f"{role}_token"] = token

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the pieces."""
        model = read_sentencepiece(options["vocab_file"])
        vocabulary = {piece.text: index for index, piece in enumerate(model.pieces)}
        return Tokenizer(models.WordLevel(vocabulary, unk_token=model.pieces[model.unk_id].text))

    def _finish(self, options: dict[str, Any]) -> None:
        self.do_lower_case: bool = options["do_lower_case"]
        super()._finish(options)
        model = read_sentencepiece(options["vocab_file"])
        self._segmenter = Tokenizer(segmenting_model(model))
        if model.charsmap:
            self._segmenter.normalizer = normalizers.Precompiled(model.charsmap)
        self._types = {piece.text: piece.type for piece in model.pieces}
        self._unk_piece, self._unk_id = model.pieces[model.unk_id].text, model.unk_id
        self._add_dummy_prefix = model.add_dummy_prefix
        self._remove_extra_whitespaces = model.remove_extra_whitespaces
        # User-defined pieces are whole wherever they stand, the longest first.
        symbols = [piece.text for piece in model.pieces if piece.type == USER_DEFINED]
        longest_first = map(re.escape, sorted(symbols, key=len, reverse=True))
        self._symbols = re.compile(f"({'|'.join(longest_first) or '(?!)'})")

    # -- from text to ids -----------------------------------------------------------------------

    def preprocess_text(self, text: str) -> str:
        """Return a text without invisible characters, with plain spaces, composed (NFC)."""
        return unicodedata.normalize("NFC", _SPACES.sub(" ", _UNSEEN.sub("", text)))

    def _pieces(self, text: str) -> list[str]:
        text = self._escaped(self.preprocess_text(text))
        pieces: list[str] = []
        for part in filter(None, self._symbols.split(text)):
            if self._types.get(part) == USER_DEFINED:
                pieces.append(part)
                continue
            data = part.encode()
            for token in self._segmenter.model.tokenize(part):
                start, end = token.offsets
                unknown = token.id == self._unk_id
                pieces.append(data[start:end].decode() if unknown else token.value)
        return pieces

    def _escaped(self, text: str) -> str:
        """Return a text as the model's pieces are written."""
        normalizer = self._segmenter.normalizer
        if normalizer is not None:
            text = "".join(
                part if self._types.get(part) == USER_DEFINED else normalizer.normalize_str(part)
                for part in self._symbols.split(text)
            )
        if self._remove_extra_whitespaces:
            text = re.sub(" {2,}", " ", text).strip(" ")
        if text and self._add_dummy_prefix:
            text = f" {text}"
        return text.replace(" ", SPACE)

    def _tokenize(
        self, text: str, as_target: bool = False, split_special_tokens: bool = False
    ) -> list[str]:
        if self.do_lower_case:
            text = self._lowered(text)
        return super()._tokenize(text, as_target, split_special_tokens)

    def _lowered(self, text: str) -> str:
        kept = [*self.all_special_tokens]
        kept += [t.content for t in self._added.values() if not t.special and t.normalized]
        parts = re.split(f"({'|'.join(map(re.escape, kept))})", text)
        return "".join(part if part in kept else part.lower() for part in parts)

    def add_tokens(
        self,
        new_tokens: str | AddedToken | Sequence[str | AddedToken],
        special_tokens: bool = False,
    ) -> int:
        """Add tokens; lower-cased ones if texts are, unless they are special."""
        if vars(self).get("do_lower_case") and not special_tokens:
            given: Any = new_tokens if isinstance(new_tokens, (list, tuple)) else [new_tokens]
            new_tokens = [self._lowered_token(token) for token in given]
        return super().add_tokens(new_tokens, special_tokens)

    def _lowered_token(self, token: str | AddedToken) -> str | AddedToken:
        if isinstance(token, str):
            return token if token in self.all_special_tokens else token.lower()
        if token.normalized and not token.special:
            token.content = token.content.lower()
        return token

    def encode_fast(
        self, text: str | list[str], return_tensors: str | bool = False
    ) -> list[int] | list[list[int]] | np.ndarray:
        """Return the ids of a text or of a list of texts; special tokens in them are text."""
        rows = [text] if isinstance(text, str) else text
        ids = [[self._vocabulary.get(p, self._unk_id) for p in self._pieces(r)] for r in rows]
        found = ids[0] if isinstance(text, str) else ids
        return np.asarray(found) if return_tensors in (True, "pt", "np") else found

    # -- from ids to text -----------------------------------------------------------------------

    def decode_fast(self, token_ids: int | list[int]) -> str:
        """Return the text of ids, without special tokens."""
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        return self._text([self._tokens[index] for index in ids])

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces into text; special tokens stand in it, a space before each run of them."""
        special = set(self.all_special_tokens)
        text, after_special = "", False
        run: list[str] = []
        for token in tokens:
            if token in special:
                text += ("" if after_special else " ") + self._text(run) + token
                run = []
            else:
                run.append(token)
            after_special = token in special
        return text + self._text(run)

    def _text(self, pieces: Iterable[str]) -> str:
        """Return what sentencepiece makes of pieces."""
        text, data = "", b""
        # The space before the first word is not the text's: here it still has to be taken away.
        at_start = self._add_dummy_prefix or self._remove_extra_whitespaces
        for piece in pieces:
            kind = self._types.get(piece)
            if kind == BYTE:
                data += bytes([int(piece[3:5], 16)])
                continue
            text, data = text + _text_of(data), b""
            at_start = at_start and not text
            if kind is None:
                text += piece
            elif piece == self._unk_piece:
                text += _UNKNOWN
            elif kind != CONTROL:
                if at_start and piece.startswith(SPACE):
                    piece = piece.removeprefix(SPACE)
                    at_start = self._remove_extra_whitespaces
                text += piece.replace(SPACE, " ")
        return text + _text_of(data)

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Return the text as it is: it needs no cleaning."""
        return out_string


def _text_of(data: bytes) -> str:
    """Decode bytes; each that is no part of a character becomes U+FFFD."""
    return _ESCAPED_BYTE.sub("\ufffd", data.decode(errors="surrogateescape"))
