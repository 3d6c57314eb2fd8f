"""Checkpoint files as named tensors."""

from .safetensors import SafetensorsFile, StoredTensor, read_safetensors, write_safetensors
from .sharding import open_checkpoint, save_sharded

__all__ = [
    "SafetensorsFile",
    "StoredTensor",
    "open_checkpoint",
    "read_safetensors",
    "save_sharded",
    "write_safetensors",
]
