"""What sentencepiece makes of characters before it cuts a text: the "precompiled charsmap".

The Rust library reads it too, but looks at one grapheme at a time and takes the first rule that
fits; sentencepiece takes the longest one at each place of the text.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# unit of the trie: label in the lowest bits and the highest, whether a value follows, where to go
_LABEL, _HAS_VALUE, _FAR, _VALUE = (1 << 31) | 0xFF, 1 << 8, 1 << 9, (1 << 31) - 1


class CharacterMap:
    """Replaces characters, and sequences of them, by others.

    data: the bytes of a model file: the size of a double-array trie, the trie, and texts that end
    in zero bytes; the trie's values are places of texts. Raises struct.error if it is cut off.
    """

    def __init__(self, data: bytes) -> None:
        (size,) = struct.unpack_from("<I", data)
        self._units = struct.unpack_from(f"<{size // 4}I", data, 4)
        self._texts = data[4 + size :]
        self._root = self._step(0)
        # Filled as texts come: what becomes of each character, where longer sequences go on, and
        # with which characters.
        self._single: dict[int, str] = {}
        self._longer: dict[str, int] = {}
        self._later: set[str] = set()

    def normalize(self, text: str) -> str:
        """Return a text with the longest sequence that has a replacement replaced everywhere."""
        new = [char for char in set(text) if ord(char) not in self._single]
        for char in new:
            self._learn(char)
        if self._later.isdisjoint(text):  # no sequence: all is done at once
            return text.translate(self._single)
        parts, position = [], 0
        while position < len(text):
            char = text[position]
            replacement, node = self._single[ord(char)], self._longer.get(char, 0)
            end = position = position + 1
            while node and end < len(text):
                node, found = self._walk(node, text[end])
                end += 1
                if found is not None:
                    replacement, position = found, end
            parts.append(replacement)
        return "".join(parts)

    def _learn(self, char: str) -> None:
        node, found = self._walk(self._root, char)
        later = set(self._characters(node)) if node else None
        if later:
            self._longer[char] = node
            self._later.update(later)  # in place: other threads may be adding, too
        # Last: whoever finds the character here finds the rest, too.
        self._single[ord(char)] = char if found is None else found

    def _characters(self, node: int, start: bytes = b"") -> Iterator[str]:
        """Yield the characters with which sequences go on from a node."""
        for byte in range(1, 256):
            index = node ^ byte
            if index >= len(self._units) or self._units[index] & _LABEL != byte:
                continue
            data = start + bytes([byte])
            try:
                yield data.decode()
            except UnicodeDecodeError:
                if len(data) < 4:
                    yield from self._characters(self._step(index), data)

    def _step(self, index: int) -> int:
        """Return where the unit of an index leads."""
        unit = self._units[index]
        return index ^ ((unit >> 10) << ((unit & _FAR) >> 6))

    def _walk(self, node: int, char: str) -> tuple[int, str | None]:
        """Return the node behind a character, 0 for none, and the text of what ends there."""
        unit = 0
        for byte in char.encode(errors="surrogatepass"):
            index = node ^ byte
            unit = self._units[index] if index < len(self._units) else 0
            if unit & _LABEL != byte:
                return 0, None
            node = self._step(index)
        if not unit & _HAS_VALUE:
            return node, None
        start = self._units[node] & _VALUE
        return node, self._texts[start : self._texts.index(b"\0", start)].decode()
