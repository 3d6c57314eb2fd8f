"""Devices and dtypes as tutorials name them; there is one device, the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

_CPU = (None, -1, "cpu", "auto", "balanced", "balanced_low_0", "sequential", "meta")
_DTYPES = {
    "float32": np.float32,
    "float": np.float32,
    "float64": np.float64,
    "double": np.float64,
    "float16": np.float16,
    "half": np.float16,
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


def check_dtype(dtype: Any) -> Any:
    """The NumPy dtype that weights are kept in, or None for the default, float32.

    dtype: None, "auto", a name such as "float16" or "torch.bfloat16", a NumPy dtype, or an object
    whose str() is such a name. Half precision is accepted and computed in float32: NumPy's float16
    products are sixty times slower. Raises ValueError for anything else.
    """
    if dtype is None:
        return None
    name = getattr(dtype, "__name__", None) or str(dtype)
    name = name.removeprefix("torch.")
    if name in ("auto", "bfloat16") or _DTYPES.get(name) in (np.float16, np.float32):
        return None
    raise ValueError(
        f"dtype {dtype!r} is not supported: use float32, float16, bfloat16 or 'auto' "
        "(all compute in float32)"
    )
