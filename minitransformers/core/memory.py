"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes
import functools
import os

# glibc's mallopt: what to tune, and to what
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 2**31 - 1  # bytes at the end of the heap that are kept; an int is what mallopt takes
_LARGEST = 2**30  # bytes of a block that comes from the heap, not from the system


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what is needed next; the first call counts.

    glibc gives large blocks back to the system, which fills them with zeros before it hands them
    out again. A training step frees and needs some gigabytes: a fifth of BERT-base's time went
    there. Nothing changes with another C library, or where the environment tunes glibc's.
    """
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows has no CDLL(None)
        return
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
