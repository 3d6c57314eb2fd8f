"""GGUF, the files of llama.cpp: configuration, tokenizer and weights, quantised or not, in one."""

from .checkpoint import GGUFCheckpoint, gguf_parts, locate_gguf, open_gguf
from .file import GGUFFile, QuantizedTensor

__all__ = [
    "GGUFCheckpoint",
    "GGUFFile",
    "QuantizedTensor",
    "gguf_parts",
    "locate_gguf",
    "open_gguf",
]
