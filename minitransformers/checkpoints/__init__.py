"""Checkpoint files as named tensors."""

from .safetensors import SafetensorsFile, StoredTensor, read_safetensors, write_safetensors
from .saving import SAFETENSORS, TORCH, Layout, save_sharded, superseded
from .sharding import open_checkpoint

__all__ = [
    "SAFETENSORS",
    "TORCH",
    "Layout",
    "SafetensorsFile",
    "StoredTensor",
    "open_checkpoint",
    "read_safetensors",
    "save_sharded",
    "superseded",
    "write_safetensors",
]
