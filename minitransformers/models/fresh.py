"""Fresh weights: a model made by its class has some; one that is loaded waits for its file's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from ..core.module import is_placeholder
from . import loading

_waiting = ContextVar("waiting", default=False)


@contextlib.contextmanager
def awaiting_weights() -> Iterator[None]:
    """Leave the weights of models made inside placeholders, which take no memory and no time."""
    before = _waiting.set(True)
    try:
        yield
    finally:
        _waiting.reset(before)


class Fresh(type):
    """The class of model classes: calling one makes a whole model, then draws what is not set."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if _waiting.get():
            return super().__call__(*args, **kwargs)
        with awaiting_weights():  # parts that are models too are drawn with the whole
            model = super().__call__(*args, **kwargs)
        loading.initialise(model, [n for n, x in model.state_dict().items() if is_placeholder(x)])
        return model
