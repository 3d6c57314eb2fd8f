"""Mutate files: bytes of any, trees of JSON, opcodes of pickles, fields of zip archives.

Every mutator takes the sound original and a random generator, and returns something that is broken
with high probability in a way a reader could fall for.
"""

from __future__ import annotations

import copy
import io
import json
import pickletools
import zipfile
from functools import lru_cache
from typing import Any

import numpy as np

Rng = np.random.Generator
NUMBERS = [
    *(0, 1, 2, 3, 4, 7, 8, 16, 63, 127, 255, 256, 1000, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31),
    *(2**32 - 1, 2**32, 2**40, 2**53, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
]


def one_of(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def number(rng: Rng) -> int:
    value = one_of(rng, NUMBERS) + int(rng.integers(-1, 2)) * int(rng.integers(2))
    return -value if rng.random() < 0.15 else value


# bytes


def corrupt(data: bytes, rng: Rng, within: tuple[int, int] | None = None) -> bytes:
    """Change one to four places of `data`, by default anywhere."""
    for _ in range(int(rng.integers(1, 5))):
        start, stop = within or (0, len(data))
        at = int(rng.integers(start, max(start + 1, min(stop, len(data) or 1))))
        data = one_of(rng, _CORRUPTIONS)(data, at, rng)
    return data


def _flip(data: bytes, at: int, rng: Rng) -> bytes:
    return (
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :] if data else b""
    )


def _overwrite(data: bytes, at: int, rng: Rng) -> bytes:
    return data[:at] + rng.bytes(int(rng.integers(1, 9))) + data[at + 8 :]


def _set_number(data: bytes, at: int, rng: Rng) -> bytes:
    width = one_of(rng, (1, 2, 4, 8))
    value = number(rng) % 256**width
    return data[:at] + value.to_bytes(width, "little") + data[at + width :]


def _truncate(data: bytes, at: int, rng: Rng) -> bytes:
    return data[:at]


def _delete(data: bytes, at: int, rng: Rng) -> bytes:
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _repeat(data: bytes, at: int, rng: Rng) -> bytes:
    end = at + int(rng.integers(1, 256))
    return data[:end] + data[at:end] * int(rng.integers(1, 4)) + data[end:]


def _move(data: bytes, at: int, rng: Rng) -> bytes:
    end, to = at + int(rng.integers(1, 256)), int(rng.integers(len(data) + 1))
    rest = data[:at] + data[end:]
    return rest[:to] + data[at:end] + rest[to:]


def _append(data: bytes, at: int, rng: Rng) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 100)))


_CORRUPTIONS = [
    *(_flip, _flip, _overwrite, _set_number, _set_number, _set_number),
    *(_truncate, _delete, _repeat, _move, _append),
]


# JSON

VALUES = [
    *(None, True, False, 0.5, 1e308, float("nan"), float("inf"), "", "x", "F32", [], [[]], {}),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "..",
        ".",
        "a\0b",
        "\ud800",
        "%00",
        "a" * 9999,
    ),
    *([0] * 999, [1, 2], [-1], {"a": {"a": {}}}, "__metadata__", "(a+)+$", 10**300, ["x"]),
]


def change_json(tree: Any, rng: Rng) -> bytes:
    """Change one to three places of a tree of JSON and write it, perhaps not quite as JSON."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.integers(1, 4))):
        tree = _change_node(tree, rng)
    text = json.dumps(tree)
    trick = rng.random()
    if trick < 0.05 and isinstance(tree, dict) and tree:  # a name twice
        key = one_of(rng, list(tree))
        text = "{" + json.dumps(key) + ": " + json.dumps(_value(rng)) + ", " + text[1:]
    elif trick < 0.07:
        depth = int(rng.integers(1, 100_000))
        text = text.replace("{", "{" + '"d": ' + "[" * depth + "]" * depth + ", ", 1)
    encoded = text.encode("utf-8", "surrogatepass")
    return corrupt(encoded, rng) if rng.random() < 0.15 else encoded


def _value(rng: Rng) -> Any:
    return number(rng) if rng.random() < 0.5 else copy.deepcopy(one_of(rng, VALUES))


def _change_node(tree: Any, rng: Rng) -> Any:
    parents = list(_containers(tree))
    if not parents or rng.random() < 0.02:
        return _value(rng)
    parent = one_of(rng, parents)
    key = one_of(rng, list(parent) if isinstance(parent, dict) else range(len(parent)))
    kind = rng.random()
    if kind < 0.55:
        old = parent[key]
        nudged = type(old) is int and rng.random() < 0.5
        parent[key] = old + int(rng.integers(-9, 10)) if nudged else _value(rng)
    elif kind < 0.7:
        del parent[key]
    elif kind < 0.8:  # another place's value
        other = one_of(rng, parents)
        values = list(other.values()) if isinstance(other, dict) else other
        parent[key] = copy.deepcopy(one_of(rng, values))
    elif isinstance(parent, dict):
        name = one_of(rng, VALUES)
        parent[name if isinstance(name, str) else "extra"] = parent.pop(key)
    else:
        parent.insert(key, _value(rng))
    return tree


def _containers(tree: Any) -> Any:
    """Every dictionary and list in the tree that is not empty."""
    if isinstance(tree, (dict, list)) and tree:
        yield tree
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _containers(child)


# pickles

_NAMES = [
    *("posix\nsystem", "__builtin__\neval", "builtins\nexec", "os\npopen", "torch\nload"),
    *("torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_parameter", "torch\nSize"),
    *("torch\nHalfStorage", "torch\nQInt8Storage", "torch.storage\nUntypedStorage"),
    *("torch._utils\n_rebuild_qtensor", "torch._tensor\n_rebuild_from_type_v2"),
    *("collections\nOrderedDict", "collections\nCounter", "torch\nfloat64", "\n"),
]
_SNIPPETS = [
    *(f"c{name}\n".encode() for name in _NAMES),
    *(b"cposix\nsystem\n(X\4\0\0\0truetR", b"\x8c\5posix\x8c\6system\x93", b"(iposix\nsystem\n"),
    *(
        bytes([x])
        for x in b"R\x81bQ012(tldeasu]})N.o\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"
    ),
    *(b"h\0", b"h\5", b"q\5", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\xff", b"\x82\1"),
    *(b"P0\n", b"I01\n", b"L5L\n", b"X\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f"),
    *(b"\x8d" + b"\xff" * 8, b"\x96" + b"\xff" * 7 + b"\x0f", b"G" + b"\xff" * 8),
]


@lru_cache(maxsize=64)
def opcodes(pickles: bytes) -> tuple[list[bytes], bytes]:
    """The opcodes of the pickles that follow each other in a file, and what comes after them."""
    stream = io.BytesIO(pickles)
    chunks: list[bytes] = []
    end = 0
    try:
        while end < len(pickles):
            starts = [position for _, _, position in pickletools.genops(stream)]
            end = stream.tell()
            chunks += [pickles[a:b] for a, b in zip(starts, [*starts[1:], end])]
    except ValueError:  # no pickle any more
        pass
    return chunks, pickles[end:]


def change_pickle(pickles: bytes, rng: Rng) -> bytes:
    """Change one to four opcodes; what follows the pickles stays."""
    chunks, rest = opcodes(pickles)
    chunks = list(chunks)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(chunks)))
        kind = rng.random()
        if kind < 0.4:
            places = [n for n, chunk in enumerate(chunks) if chunk[:1] in b"KMJ\x8a"]
            if places:
                value = number(rng)
                size = (value.bit_length() + 8) // 8
                encoded = value.to_bytes(size, "little", signed=True)
                chunks[one_of(rng, places)] = b"\x8a" + bytes([size]) + encoded
        elif kind < 0.5:
            del chunks[at]
            chunks = chunks or [b"."]
        elif kind < 0.6:
            chunks.insert(at, one_of(rng, chunks))
        elif kind < 0.7:
            other = int(rng.integers(len(chunks)))
            chunks[at], chunks[other] = chunks[other], chunks[at]
        elif kind < 0.75:
            chunks.insert(at, chunks[at] * int(rng.integers(1, 3000)))
        elif kind < 0.8:
            chunks[at] = corrupt(chunks[at], rng)
        else:
            chunks.insert(at, one_of(rng, _SNIPPETS))
    return b"".join(chunks) + rest


# zip archives


def change_archive(data: bytes, rng: Rng) -> bytes:
    """Change an archive's pickle, an entry, a field of its directory, or any byte."""
    kind = rng.random()
    if kind < 0.5:
        changed = lambda n, name, x: change_pickle(x, rng) if name.endswith("/data.pkl") else x
        return _rewrite(data, changed)
    if kind < 0.6:  # entries, one by another's bytes or a bomb of zeros
        place = int(rng.integers(data.count(b"PK\1\2")))
        method = one_of(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        content = rng.bytes(24) if rng.random() < 0.3 else bytes(one_of(rng, (0, 24, 10**6)))
        return _rewrite(data, lambda n, name, x: content if n == place else x, method)
    if kind < 0.7:
        data = _rewrite(data, lambda n, name, x: x, zipfile.ZIP_DEFLATED)
    if kind < 0.92:
        directory = data.find(b"PK\1\2")
        header = rng.random() < 0.2  # of an entry itself
        return corrupt(data, rng, (0, 60) if header else (directory, len(data)))
    return corrupt(data, rng)


def _rewrite(data: bytes, change: Any, method: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with each entry's content as change(its place, name, content) says."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", method) as target:
        for n, name in enumerate(source.namelist()):
            target.writestr(name, change(n, name, source.read(name)))
    return out.getvalue()
