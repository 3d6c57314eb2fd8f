"""What llama.cpp's converter does to the layout of tensors, undone.

Each function takes a tensor of the file and the fields of config.json, and returns the tensor in
the original checkpoint's layout; nothing is computed before it is loaded. A tensor that does not
fit the fields raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..safetensors import StoredTensor
from .file import ChangedTensor, GGUFTensor

Fields = dict[str, Any]


def _moved(
    tensor: GGUFTensor, shape: tuple[int, ...], change: Callable[[np.ndarray], np.ndarray]
) -> GGUFTensor:
    dtype = tensor.dtype if isinstance(tensor, StoredTensor) else "F32"
    return ChangedTensor(tensor, shape, change, dtype)


def _reordered(tensor: GGUFTensor, order: np.ndarray) -> GGUFTensor:
    return _moved(tensor, tensor.shape, lambda x: x[order])


def _halves(tensor: GGUFTensor, heads: int) -> GGUFTensor:
    """Channels that turn together lie side by side in the file, half a head apart here."""
    rows = np.arange(tensor.shape[0])
    return _reordered(tensor, rows.reshape(heads, -1, 2).swapaxes(1, 2).ravel())


def query_halves(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    return _halves(tensor, config["num_attention_heads"])


def key_halves(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    return _halves(tensor, config.get("num_key_value_heads") or config["num_attention_heads"])


def by_head(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    """All queries, then keys, then values in the file; here the three of one head, of the next."""
    heads = config.get("n_head") or config["num_attention_heads"]
    rows = np.arange(tensor.shape[0])
    return _reordered(tensor, rows.reshape(3, heads, -1).swapaxes(0, 1).ravel())


def by_group(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    """All queries, then keys, then values in the file; here by the key that queries share."""
    groups, heads = config.get("num_kv_heads") or 1, config["num_attention_heads"]
    rows = np.arange(tensor.shape[0]).reshape(heads + 2 * groups, -1)
    queries, keys, values = np.split(rows, [heads, heads + groups])
    queries = queries.reshape(groups, heads // groups, -1)
    return _reordered(tensor, np.concatenate([queries, keys[:, None], values[:, None]], 1).ravel())


def transposed(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    return _moved(tensor, tensor.shape[::-1], np.transpose)


def less_one(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    """Gemma scales by 1 + weight, the file holds the sum."""
    return ChangedTensor(tensor, tensor.shape, lambda x: x - np.float32(1))


def after_padding(tensor: GGUFTensor, config: Fields) -> GGUFTensor:
    """RoBERTa's positions begin after that of padding; the file leaves the rows before them out."""
    if not config["model_type"].endswith("roberta"):
        return tensor
    missing = config["pad_token_id"] + 1
    rows, hidden = tensor.shape
    return _moved(tensor, (rows + missing, hidden), lambda x: np.pad(x, ((missing, 0), (0, 0))))
