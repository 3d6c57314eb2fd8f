"""Read a zip archive's entries as views of its mapped bytes.

The standard library's zipfile copies what it reads and keeps an object of half a kilobyte for each
entry, however many a hostile archive claims. A checkpoint's archive needs little of the format
(https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT): the central directory at its end,
zip64 for what is over 4 GB, and entries stored as they are. Deflated ones are read too, but never
more of them than the caller grants.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1  # flag bits
_UTF8 = 1 << 11
_IN_ZIP64 = 0xFFFFFFFF  # of a 32-bit field: the zip64 extra holds the number
_ZIP64_EXTRA = 1
_MAX_COMMENT = 0xFFFF
_MAX_ENTRIES = 500_000  # each takes some 300 bytes of memory here


class _Entry(NamedTuple):
    """An entry as the central directory describes it."""

    method: int
    encrypted: bool
    checksum: int
    size: int  # in the archive
    inflated: int
    header: int  # where its local header starts


class ZipArchive:
    """The entries of a mapped zip archive by name. Raises ValueError if its directory lies.

    inflatable: how many bytes all deflated entries that are read may inflate to, together
    """

    def __init__(self, mapped: mmap.mmap, inflatable: int):
        self._data = memoryview(mapped)
        self._inflatable = inflatable
        start, stop = _find_directory(mapped, self._data)
        self._entries: dict[str, _Entry] = {}
        for name, entry in _walk_directory(self._data[start:stop]):
            if name in self._entries:
                raise ValueError(f"the archive's entry {name!r} appears twice")
            if len(self._entries) == _MAX_ENTRIES:
                raise ValueError(f"the archive has more than {_MAX_ENTRIES} entries")
            self._entries[name] = entry
        self._spans = self._find_contents(start)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def read(self, name: str) -> memoryview:
        """Return an entry's bytes: a view of the file, or inflated ones. Raises ValueError."""
        if name not in self._entries:
            raise ValueError(f"the archive has no entry {name!r}; it may be truncated")
        entry, (start, stop) = self._entries[name], self._spans[name]
        if entry.encrypted or entry.method not in (_STORED, _DEFLATED):
            raise ValueError(f"the archive's entry {name!r} is encrypted or of an unknown method")
        if entry.method == _STORED:
            return self._data[start:stop]
        self._inflatable -= entry.inflated
        if self._inflatable < 0:
            raise ValueError(
                f"the archive's entry {name!r} inflates to {entry.inflated} bytes, too many for "
                "its size: store its entries uncompressed, as torch.save does"
            )
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(self._data[start:stop], entry.inflated + 1)
        except zlib.error as error:
            raise ValueError(f"the archive's entry {name!r} cannot be inflated: {error}") from error
        complete = inflater.eof and len(content) == entry.inflated
        if not complete or zlib.crc32(content) != entry.checksum:
            raise ValueError(f"the archive's entry {name!r} is damaged")
        return memoryview(content)

    def _find_contents(self, directory: int) -> dict[str, tuple[int, int]]:
        """Where each entry's bytes start and stop, none inside another's or the directory."""
        spans = {}
        end = 0
        for name, entry in sorted(self._entries.items(), key=lambda item: item[1].header):
            where = f"the archive's entry {name!r}"
            if entry.header < end:
                raise ValueError(f"{where} overlaps the one before it")
            if entry.header + _LOCAL.size > directory:
                raise ValueError(f"{where} starts outside the archive")
            magic, *_, name_size, extra_size = _LOCAL.unpack_from(self._data, entry.header)
            if magic != b"PK\3\4":
                raise ValueError(f"{where} has no header of its own")
            start = entry.header + _LOCAL.size + name_size + extra_size
            end = start + entry.size
            if end > directory:
                raise ValueError(f"{where} ends outside the archive; the file may be truncated")
            if entry.method == _STORED and entry.size != entry.inflated:
                raise ValueError(f"{where} is stored, but claims two sizes")
            spans[name] = start, end
        return spans


def _find_directory(mapped: mmap.mmap, data: memoryview) -> tuple[int, int]:
    """Where the central directory starts and stops."""
    truncated = "the archive has no directory at its end; the file may be truncated"
    end = mapped.rfind(b"PK\5\6", max(0, len(data) - _END.size - _MAX_COMMENT))
    if end < 0 or end + _END.size > len(data):
        raise ValueError(truncated)
    *_, size, start, _ = _END.unpack_from(data, end)
    stop = end
    locator = end - _END64_LOCATOR.size
    if locator >= 0 and data[locator : locator + 4] == b"PK\6\7":
        stop = _END64_LOCATOR.unpack_from(data, locator)[2]
        if stop > locator - _END64.size or data[stop : stop + 4] != b"PK\6\6":
            raise ValueError(truncated)
        *_, size, start = _END64.unpack_from(data, stop)
    if start + size > stop:
        raise ValueError(f"the archive's directory (bytes {start} to {start + size}) is misplaced")
    return start, start + size


def _walk_directory(directory: memoryview) -> Iterator[tuple[str, _Entry]]:
    """Yield each entry of the central directory with its name."""
    here = 0
    while here < len(directory):
        if here + _ENTRY.size > len(directory):
            raise ValueError("the archive's directory ends inside an entry")
        fields = _ENTRY.unpack_from(directory, here)
        magic, _, _, flags, method, _, _, checksum, *sizes, name_size, extra_size, comment_size = (
            fields[:13]
        )
        if magic != b"PK\1\2":
            raise ValueError("the archive's directory is malformed")
        here += _ENTRY.size
        extra = here + name_size
        name = bytes(directory[here:extra]).decode("utf-8" if flags & _UTF8 else "cp437")
        size, inflated, header = _widen([*sizes, fields[-1]], directory[extra : extra + extra_size])
        here = extra + extra_size + comment_size
        yield name, _Entry(method, bool(flags & _ENCRYPTED), checksum, size, inflated, header)


def _widen(fields: list[int], extra: memoryview) -> list[int]:
    """Take (size, inflated, header) out of the zip64 extra where they do not fit 32 bits."""
    if _IN_ZIP64 not in fields:
        return fields
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == _ZIP64_EXTRA:
            wide = extra[4 : 4 + size]
            # the inflated size comes first there
            for index in (1, 0, 2):
                if fields[index] == _IN_ZIP64 and len(wide) >= 8:
                    fields[index] = int.from_bytes(wide[:8], "little")
                    wide = wide[8:]
            break
        extra = extra[4 + size :]
    return fields
