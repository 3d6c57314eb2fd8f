"""The caches a script makes itself: each call of a model goes on in the one it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cache import KVCache


class DynamicCache(KVCache):
    """A `KVCache` that is not a value: calls and `generate` put what they see into this object.

    num_hidden_layers: accepted, layers are made when they are filled
    """

    def __init__(self, num_hidden_layers: int | None = None):
        super().__init__()

    def fork(self) -> DynamicCache:
        """This cache itself; `copy.deepcopy` makes one to go on with several times."""
        return self

    def update(
        self,
        key_states: np.ndarray,
        value_states: np.ndarray,
        layer_idx: int,
        cache_kwargs: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add positions to a layer. Both (batch, kv_heads, seq, head_dim) -> all so far"""
        return self.append(layer_idx, key_states, value_states)

    @classmethod
    def from_legacy_cache(cls, past_key_values: Any = None) -> DynamicCache:
        """From a tuple of (keys, values) a layer."""
        return cls.from_legacy(past_key_values or ())

    def to_legacy_cache(self) -> tuple:
        """-> ((keys, values), ...), (batch, kv_heads, length, head_dim) each"""
        return tuple(self)

    @property
    def key_cache(self) -> list[np.ndarray]:
        """The keys of each layer, (batch, kv_heads, length, head_dim)."""
        return [layer[0] for layer in self]

    @property
    def value_cache(self) -> list[np.ndarray]:
        """The values of each layer, (batch, kv_heads, length, head_dim)."""
        return [layer[1] for layer in self]

    @property
    def seen_tokens(self) -> int:
        return self.length

    def get_max_length(self) -> int | None:
        """None: it grows."""
        return None

    get_max_cache_shape = get_max_length

    def crop(self, max_length: int) -> None:
        """Forget the positions from `max_length` on; a negative one counts from the end."""
        super().crop(max_length if max_length >= 0 else self.length + max_length)

    def reorder_cache(self, beam_idx: np.ndarray) -> None:
        """Row i becomes what row beam_idx[i] was. beam_idx: (rows,)"""
        self.reorder(np.asarray(beam_idx))

    batch_select_indices = reorder_cache

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Put each row there so many times, one after the other."""
        self.reorder(np.repeat(np.arange(len(self[0][0])), repeats))


class StaticCache(DynamicCache):
    """A `DynamicCache` that is told how long it will get.

    max_cache_len: positions to make room for at once; it grows where they are not enough
    config, max_batch_size, batch_size, device, dtype, layer_device_map: accepted, the first call
        shows what they are
    """

    def __init__(
        self,
        config: Any = None,
        max_batch_size: int | None = None,
        max_cache_len: int | None = None,
        device: Any = None,
        dtype: Any = None,
        batch_size: int | None = None,
        layer_device_map: Any = None,
    ):
        super().__init__()
        longest = getattr(config, "max_position_embeddings", None)
        self.max_cache_len = max_cache_len or longest
        self.reserve = self.max_cache_len or 0

    def get_max_length(self) -> int | None:
        """Positions it has room for."""
        return self.max_cache_len

    get_max_cache_shape = get_max_length

    def reset(self) -> None:
        """Forget everything."""
        self.layers.clear()
        self.source.clear()
