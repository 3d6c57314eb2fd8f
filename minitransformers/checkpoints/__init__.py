"""Checkpoint files as named tensors."""

from .safetensors import SafetensorsFile, StoredTensor, read_safetensors, write_safetensors
from .saving import SAFETENSORS, TORCH, Layout, save_sharded, superseded
from .sharding import open_checkpoint
from .torch_bin import read_torch_bin

__all__ = [
    "SAFETENSORS",
    "TORCH",
    "Layout",
    "SafetensorsFile",
    "StoredTensor",
    "open_checkpoint",
    "read_safetensors",
    "read_torch_bin",
    "save_sharded",
    "superseded",
    "write_safetensors",
]
