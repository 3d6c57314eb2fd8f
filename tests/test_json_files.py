"""JSON from elsewhere: what it may cost."""

from __future__ import annotations

import pytest

from minitransformers.json_files import parse_json


def test_what_it_holds() -> None:
    assert parse_json('{"a": [1, 2.5, null, "é\\ud83d\\ude00\\\\ud800"]}'.encode()) == {
        "a": [1, 2.5, None, "é😀\\ud800"]
    }
    assert parse_json(b'{"a": 1, "a": 2}') == {"a": 2}  # as the reference has it


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expecting value"),
        (b"{'a': 1}", "Expecting property name"),
        (b'"\xff"', "can't decode"),
        (b'["\\ud800"]', "surrogates not allowed"),
        (b'{"\\uDC00x": 1}', "surrogates not allowed"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b"[" + b"0," * 2_000_000 + b"0]", r"2000001 values; at most 2000000"),
        (b"9" * 9999, "integer string conversion"),
    ],
)
def test_what_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_names_may_be_asked_to_be_distinct() -> None:
    with pytest.raises(ValueError, match="'b' appears 2 times"):
        parse_json(b'{"a": {"b": 1, "b": 1}}', unique=True)
