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


# Progress bars


_bars_forbidden = False


def is_progress_bar_enabled() -> bool:
    """Whether bars may be shown: `disable_progress_bar` and the Hub's variable forbid them."""
    value = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "")
    return not _bars_forbidden and value.upper() not in {"1", "ON", "YES", "TRUE"}


def disable_progress_bar() -> None:
    """Show no bars, the Hub's client neither."""
    from huggingface_hub.utils import disable_progress_bars

    global _bars_forbidden
    _bars_forbidden = True
    disable_progress_bars()


def enable_progress_bar() -> None:
    """Undo `disable_progress_bar`."""
    from huggingface_hub.utils import enable_progress_bars

    global _bars_forbidden
    _bars_forbidden = False
    enable_progress_bars()


def progress(items: Sequence, title: str) -> Any:
    """Go through `items` with a bar on a terminal, where bars may be shown."""
    if not is_progress_bar_enabled() or len(items) < 2 or not sys.stderr.isatty():
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc=title, leave=False)


# Handlers. There is none to begin with: warnings go where Python's own go, and a program that sets
# up logging for itself gets all the rest. Who asks for messages by a function below sees them.


class _ToStderr(_logging.StreamHandler):
    """Writes to whatever sys.stderr is at the time."""

    def __init__(self) -> None:
        _logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


_default_handler = _ToStderr()


def enable_default_handler() -> None:
    """Write messages to stderr, and no longer to the handlers of the root logger."""
    _root.addHandler(_default_handler)
    _root.propagate = False


def disable_default_handler() -> None:
    """Undo `enable_default_handler`."""
    _root.removeHandler(_default_handler)
    _root.propagate = True


def add_handler(handler: _logging.Handler) -> None:
    """Give messages to this handler, too."""
    _root.addHandler(handler)


def remove_handler(handler: _logging.Handler) -> None:
    """Undo `add_handler`."""
    _root.removeHandler(handler)


def enable_propagation() -> None:
    """Give messages to the handlers of the root logger as well."""
    _root.propagate = True


def disable_propagation() -> None:
    """Keep messages from the handlers of the root logger."""
    _root.propagate = False


def enable_explicit_format() -> None:
    """Say with each message its level, file, line and time."""
    pattern = "[%(levelname)s|%(filename)s:%(lineno)s] %(asctime)s >> %(message)s"
    for handler in (*_root.handlers, _default_handler):
        handler.setFormatter(_logging.Formatter(pattern))


def reset_format() -> None:
    """Undo `enable_explicit_format`."""
    for handler in (*_root.handlers, _default_handler):
        handler.setFormatter(None)


# Levels


def set_verbosity(level: int) -> None:
    """Show messages from `level` on, on stderr where logging has not been set up."""
    _root.setLevel(level)
    if level < WARNING and not _root.hasHandlers():  # Python alone shows warnings only
        enable_default_handler()


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


def get_log_levels_dict() -> dict[str, int]:
    """{name: level}"""
    return {
        "detail": DEBUG,
        "debug": DEBUG,
        "info": INFO,
        "warning": WARNING,
        "error": ERROR,
        "critical": CRITICAL,
    }


_level = os.environ.get("TRANSFORMERS_VERBOSITY", "").upper()
if _level in ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"):
    set_verbosity(getattr(_logging, _level))
