"""Write dtypes.safetensors, and what PyTorch reads from it as dtypes.npz.

Run where torch and safetensors are installed: python tests/golden/make_safetensors.py
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
EIGHT_BITS = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
UNSIGNED = [torch.uint16, torch.uint32, torch.uint64]


def main() -> None:
    torch.manual_seed(0)
    values = torch.randn(3, 5) * torch.logspace(-6, 6, 5)
    special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-40])
    tensors = {}
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        tensors[f"{dtype}"] = values.to(dtype)
        tensors[f"{dtype}.special"] = special.to(dtype)
    for dtype in EIGHT_BITS:
        tensors[f"{dtype}"] = torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
    for dtype in INTEGERS + UNSIGNED:
        limits = torch.iinfo(dtype)
        tensors[f"{dtype}"] = torch.tensor([limits.min, 0, 1, limits.max], dtype=dtype)
    tensors["torch.bool"] = torch.tensor([[True, False], [False, True]])
    tensors["torch.complex64"] = torch.complex(values, -values)
    tensors["scalar"] = torch.tensor(2.5, dtype=torch.bfloat16)
    tensors["empty"] = torch.zeros(0, 3, dtype=torch.float16)
    tensors = {name.removeprefix("torch."): tensor for name, tensor in tensors.items()}

    save_file(tensors, FOLDER / "dtypes.safetensors", metadata={"format": "pt"})
    as_float32 = {torch.bfloat16, *EIGHT_BITS}  # NumPy lacks them
    values = {
        name: (tensor.float() if tensor.dtype in as_float32 else tensor).numpy()
        for name, tensor in tensors.items()
    }
    np.savez_compressed(FOLDER / "dtypes.npz", **values)


if __name__ == "__main__":
    main()
