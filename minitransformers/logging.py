"""Messages to the user: standard `logging`, under the name "minitransformers".

The functions carry the reference's names, so that `from minitransformers import logging` and
`logging.set_verbosity_error()` work as tutorials show.
"""

from __future__ import annotations

import functools
import logging as _logging
import os
import sys
from collections.abc import Sequence
from typing import Any

CRITICAL, ERROR, WARNING = _logging.CRITICAL, _logging.ERROR, _logging.WARNING
INFO, DEBUG = _logging.INFO, _logging.DEBUG

_root = _logging.getLogger("minitransformers")


def get_logger(name: str = "minitransformers") -> _logging.Logger:
    """A logger below this library's."""
    return _logging.getLogger(name)


@functools.cache
def warning_once(message: str) -> None:
    """Log a warning unless the very same one has been logged before."""
    _root.warning(message)


def progress(items: Sequence, title: str) -> Any:
    """Go through `items` with a bar on a terminal, unless the Hub's variable forbids it."""
    quiet = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() in {"1", "ON", "YES", "TRUE"}
    if quiet or len(items) < 2 or not sys.stderr.isatty():
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc=title, leave=False)


def set_verbosity(level: int) -> None:
    """Show messages from `level` on."""
    _root.setLevel(level)


def get_verbosity() -> int:
    """The level from which messages are shown."""
    return _root.getEffectiveLevel()


def set_verbosity_error() -> None:
    """Show errors only."""
    set_verbosity(ERROR)


def set_verbosity_warning() -> None:
    """Show warnings and errors."""
    set_verbosity(WARNING)


def set_verbosity_info() -> None:
    """Show everything but debug messages."""
    set_verbosity(INFO)


def set_verbosity_debug() -> None:
    """Show all messages."""
    set_verbosity(DEBUG)


_level = os.environ.get("TRANSFORMERS_VERBOSITY", "").upper()
if _level in ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"):
    _root.setLevel(_level)
