"""sentencepiece models, read without sentencepiece and protobuf.

The file is a protocol buffer, `sentencepiece_model.proto`; the few fields that decide about ids are
read here, everything else is skipped.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

UNIGRAM, BPE, WORD, CHAR = 1, 2, 3, 4
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


class Piece(NamedTuple):
    """An entry of the vocabulary; its position is its id."""

    text: str
    score: float
    type: int


class SentencePieceModel(NamedTuple):
    """What a sentencepiece model file says."""

    pieces: list[Piece]
    model_type: int
    byte_fallback: bool
    unk_id: int
    unk_piece: str
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool

    def scores(self) -> list[tuple[str, float]]:
        """Return (piece, score) in the order of the ids."""
        return [(piece.text, piece.score) for piece in self.pieces]


def is_sentencepiece(path: str) -> bool:
    """Whether a file starts like a sentencepiece model, rather than like a tiktoken file."""
    with open(path, "rb") as file:
        return file.read(1) == b"\x0a"


def read_sentencepiece(path: str | os.PathLike) -> SentencePieceModel:
    """Parse a model file; ValueError names the file if it is none."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        return _parse_model(data)
    except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable sentencepiece model: {error}") from error


def _parse_model(data: bytes) -> SentencePieceModel:
    pieces: list[Piece] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == 1:
            fields = dict(_fields(value))
            score = struct.unpack("<f", fields.get(2, b"\0\0\0\0"))[0]
            pieces.append(Piece(fields.get(1, b"").decode(), score, fields.get(3, NORMAL)))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
    if not pieces:
        raise ValueError("it holds no pieces")
    return SentencePieceModel(
        pieces=pieces,
        model_type=trainer.get(3, UNIGRAM),
        byte_fallback=bool(trainer.get(35, 0)),
        unk_id=trainer.get(40, 0),
        unk_piece=trainer.get(45, b"<unk>").decode(),
        charsmap=normalizer.get(2, b""),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
    )


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) of a message: int for varints, bytes for everything else."""
    position = 0
    value: int | bytes
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(data, position)
        else:
            if wire_type == 2:
                size, position = _varint(data, position)
            elif wire_type in (1, 5):
                size = 8 if wire_type == 1 else 4
            else:
                raise ValueError(f"unknown wire type {wire_type} at byte {position}")
            if position + size > len(data):
                raise ValueError(f"it is cut off: {size} bytes announced at byte {position}")
            value, position = data[position : position + size], position + size
        yield number, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return (value, position behind it)."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(f"a number is too long at byte {position}")


def merges_of(vocabulary: dict[str, int], scores: list[tuple[str, float]]) -> list[tuple[str, str]]:
    """Return the merges of a BPE model in the order in which they apply: best score first.

    The file stores no merges: every split of a piece into two known pieces is one.
    """
    merges = []
    for text, score in dict(scores).items():
        splits = ((text[:cut], text[cut:]) for cut in range(1, len(text)))
        known = [
            (left, right) for left, right in splits if left in vocabulary and right in vocabulary
        ]
        known.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
        merges += [(score, left, right) for left, right in known]
    merges.sort(key=lambda merge: (merge[0], len(merge[1]), len(merge[2])), reverse=True)
    return [(left, right) for _, left, right in merges]
