"""Which optional libraries are installed: transformers' is_torch_available() and its kin."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

# What the function calls a library -> what is imported
_IMPORTED_AS = {
    "auto_awq": "awq",
    "comet": "comet_ml",
    "jinja": "jinja2",
    "ray_tune": "ray",
    "speech": "torchaudio",
    "tf": "tensorflow",
    "vision": "PIL",
}
_ACCELERATORS = ("cuda", "mps", "npu", "tpu", "xla", "xpu", "mlu", "musa", "neuroncore", "bf16")


def __getattr__(name: str) -> Callable[[], bool]:
    """Make the function of a name such as "is_torch_available"."""
    if not (name.startswith("is_") and name.endswith("_available")):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    what = name[len("is_") : -len("_available")]

    def available(*args: str, **kwargs: str) -> bool:
        if any(part in _ACCELERATORS for part in what.split("_")):
            return False  # models compute on the CPU
        return importlib.util.find_spec(_IMPORTED_AS.get(what, what)) is not None

    available.__name__ = available.__qualname__ = name
    available.__doc__ = f"Whether {what} can be imported."
    return available
