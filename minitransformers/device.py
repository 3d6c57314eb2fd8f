"""Devices and dtypes as tutorials name them; there is one device, the CPU."""

from __future__ import annotations

from typing import Any

_CPU = (None, -1, "cpu", "auto", "balanced", "balanced_low_0", "sequential", "meta")
_DTYPES = {
    "auto": None,
    "float32": "float32",
    "float": "float32",
    "float16": "float16",
    "half": "float16",
    "bfloat16": "bfloat16",
}


def check_device(device: Any) -> str:
    """-> "cpu". Accepts None, -1, "cpu", "auto", a mapping onto these, or an object so named.

    Raises ValueError for an accelerator.
    """
    if isinstance(device, dict):
        for place in device.values():
            check_device(place)
        return "cpu"
    if device in _CPU or str(device).split(":")[0] == "cpu":
        return "cpu"
    raise ValueError(
        f"device {device!r} is not available: minitransformers computes with NumPy on the CPU; "
        'leave the device out, or pass "cpu"'
    )


def check_dtype(dtype: Any) -> str | None:
    """The name of a dtype to keep weights in: "float32", "float16" or "bfloat16"; None to keep
    them as they are stored.

    dtype: None, "auto", a name such as "float16" or "torch.bfloat16", a NumPy dtype, or an object
    whose str() is such a name. Whatever is kept, float32 is computed in: NumPy's float16 products
    are sixty times slower. Raises ValueError for anything else.
    """
    if dtype is None:
        return None
    name = (getattr(dtype, "__name__", None) or str(dtype)).removeprefix("torch.")
    if name not in _DTYPES:
        raise ValueError(
            f"dtype {dtype!r} is not supported: use float32, float16, bfloat16 or 'auto' "
            "(all compute in float32)"
        )
    return _DTYPES[name]
