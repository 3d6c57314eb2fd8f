"""Cutting text into the pieces of a sentencepiece model, and joining pieces, without sentencepiece.

Cutting proper is done in Rust; what sentencepiece does around it is done here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from tokenizers import models

from .character_map import CharacterMap
from .convert.sentencepiece import (
    BYTE,
    CONTROL,
    NORMAL,
    UNIGRAM,
    UNKNOWN,
    USER_DEFINED,
    SentencePieceModel,
    merges_of,
    read_sentencepiece,
)
from .convert.unigram import SPACE

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_SPACES = re.compile(" {2,}")
# What sentencepiece writes for its unknown piece.
_UNKNOWN = " \u2047 "


class Segmenter:
    """Cuts texts and joins pieces as sentencepiece does with the model of a file, kept in `data`.

    Raises OSError without the file and ValueError for one that holds no model.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        with open(path, "rb") as file:
            self.data = file.read()
        model = read_sentencepiece(path)
        self._model = _cutting_model(model)
        # BPE's tokens hide what they stand for where it is unknown.
        self._tells_unknown = model.model_type == UNIGRAM
        self._characters = CharacterMap(model.charsmap) if model.charsmap else None
        self.types = {piece.text: piece.type for piece in model.pieces}
        # What is in the text for the pieces that are text.
        self._written = {
            piece.text: piece.text.replace(SPACE, " ")
            for piece in model.pieces
            if piece.type not in (BYTE, CONTROL, UNKNOWN)
        }
        self.unk_id, self.unk_piece = model.unk_id, model.pieces[model.unk_id].text
        self._add_dummy_prefix = model.add_dummy_prefix
        self._remove_extra_whitespaces = model.remove_extra_whitespaces
        # User-defined pieces are whole wherever they stand, the longest first.
        symbols = [piece.text for piece in model.pieces if piece.type == USER_DEFINED]
        longest_first = map(re.escape, sorted(symbols, key=len, reverse=True))
        self._symbols = re.compile(f"({'|'.join(longest_first) or '(?!)'})")

    def cut(self, text: str) -> list[str]:
        """Return the pieces of a text; what the model does not know stays as it is written."""
        pieces: list[str] = []
        for part in filter(None, self._symbols.split(self._escaped(text))):
            if self.types.get(part) == USER_DEFINED:
                pieces.append(part)
                continue
            tokens = self._model.tokenize(part)
            if self._tells_unknown:
                pieces += [token.value for token in tokens]
                continue
            data = part.encode()
            for token in tokens:
                if token.id == self.unk_id:
                    start, end = token.offsets
                    pieces.append(data[start:end].decode())
                else:
                    pieces.append(token.value)
        return pieces

    def _escaped(self, text: str) -> str:
        """Return a text as the model's pieces are written."""
        if self._characters is not None:
            normalize = self._characters.normalize
            text = "".join(
                part if self.types.get(part) == USER_DEFINED else normalize(part)
                for part in self._symbols.split(text)
            )
        if self._remove_extra_whitespaces:
            text = _SPACES.sub(" ", text).strip(" ")
        if text and self._add_dummy_prefix:
            text = f" {text}"
        text = text.replace(" ", SPACE)
        # At the end, sentencepiece takes the sign for a space as one even if the text had it.
        return text.rstrip(SPACE) if self._remove_extra_whitespaces else text

    def join(self, pieces: Iterable[str]) -> str:
        """Return the text of pieces; those that are not the model's stand in it as they are."""
        parts: list[str] = []
        data = b""
        # The space before the first word is not the text's: here it still has to be taken away.
        at_start = self._add_dummy_prefix or self._remove_extra_whitespaces
        for piece in pieces:
            written = self._written.get(piece)
            if written is not None and not data and not at_start:
                parts.append(written)
                continue
            kind = self.types.get(piece)
            if kind == BYTE:
                data += bytes([int(piece[3:5], 16)])
                at_start = False
                continue
            if data:
                parts.append(_text_of(data))
                data = b""
            if kind is None:
                parts.append(piece)
            elif piece == self.unk_piece:
                parts.append(_UNKNOWN)
            elif kind == CONTROL:
                continue
            elif written is not None:
                if at_start and written.startswith(" "):
                    parts.append(written[1:])
                    at_start = self._remove_extra_whitespaces and len(written) == 1
                    continue
                parts.append(written)
            at_start = at_start and not parts[-1]
        return "".join([*parts, _text_of(data)])


def _cutting_model(model: SentencePieceModel) -> Any:
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


def _text_of(data: bytes) -> str:
    """Decode bytes; each that is no part of a character becomes U+FFFD."""
    return _ESCAPED_BYTE.sub("\ufffd", data.decode(errors="surrogateescape"))
