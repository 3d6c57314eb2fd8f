"""Parse JSON that came from elsewhere, with bounds on what it can cost."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

# A value takes at most some 100 bytes of memory beyond its own text. An index of shards or a header
# has about nine to a tensor, a config.json a few hundred in all.
_MAX_VALUES = 2_000_000
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(text: bytes, *, unique: bool = False) -> Any:
    """Return what a JSON text in UTF-8 holds.

    unique: refuse an object with one name twice, of which the last would win
    Raises ValueError for anything malformed, nested beyond Python's depth, or with too many values.
    """
    values = sum(map(text.count, (b",", b"[", b"{")))
    if values > _MAX_VALUES:
        raise ValueError(f"it has {values} values; at most {_MAX_VALUES}")
    try:
        tree = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct if unique else None)
        if _SURROGATE.search(text):  # half of a pair is no text: it could not even be printed
            json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return tree


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        name, count = max(Counter(name for name, _ in pairs).items(), key=lambda item: item[1])
        raise ValueError(f"{name!r} appears {count} times")
    return names
