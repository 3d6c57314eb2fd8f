"""Which keys a query may see: the only place where masks are built."""

from __future__ import annotations

from typing import Any

import numpy as np

# Added to the scores of hidden keys. Not -inf: a query that sees nothing attends to all keys alike,
# where -inf would give NaN.
HIDDEN = float(np.finfo(np.float32).min)


class Mask:
    """What `seq` queries may see of `total` keys, the last `seq` of which are their own positions.

    causal: a query sees no key after it
    window: a query sees only keys less than `window` positions away
    padding: (batch, total), false where a key is padding
    allowed: (batch, 1 or heads, seq, total), false where a query may not see a key
    """

    def __init__(
        self,
        seq: int,
        total: int,
        *,
        causal: bool = False,
        window: int | None = None,
        padding: np.ndarray | None = None,
        allowed: np.ndarray | None = None,
    ):
        self.seq, self.total = seq, total
        self.causal = causal and seq > 1
        self.window = window if window is not None and total > window else None
        self.padding = None if padding is None or padding.all() else padding
        self.allowed = allowed
        self._additive: np.ndarray | None = None
        self._narrow: dict[int, Mask] = {}

    @classmethod
    def of(cls, mask: Any, seq: int, total: int, **how: Any) -> Mask:
        """From an attention_mask as users pass it, ones where a key may be seen.

        mask: None, (batch, total), (batch, seq, total) or (batch, 1 or heads, seq, total)
        Raises ValueError for any other shape.
        """
        if mask is None:
            return cls(seq, total, **how)
        mask = np.asarray(mask)
        shown = mask != 0
        if mask.ndim == 2 and mask.shape[1] == total:
            return cls(seq, total, padding=shown, **how)
        if mask.ndim in (3, 4) and mask.shape[-2:] == (seq, total):
            allowed = shown[:, None] if mask.ndim == 3 else shown
            return cls(seq, total, allowed=allowed, **how)
        raise ValueError(
            f"attention_mask has shape {mask.shape}, but {total} positions are attended to "
            f"({total - seq} cached and {seq} new): it must be (batch, {total}), "
            f"(batch, {seq}, {total}) or (batch, heads, {seq}, {total})"
        )

    def within(self, window: int | None) -> Mask:
        """The same, of only keys less than `window` away from each query; made once for all layers.

        Keys that no query sees are left out: the last min(total, window - 1 + seq) remain.
        """
        if window is None or self.total <= window:
            return self
        if window not in self._narrow:
            n = min(self.total, window - 1 + self.seq)
            self._narrow[window] = Mask(
                self.seq,
                n,
                causal=self.causal,
                window=window,
                padding=None if self.padding is None else self.padding[:, -n:],
                allowed=None if self.allowed is None else self.allowed[..., -n:],
            )
        return self._narrow[window]

    def additive(self) -> np.ndarray | None:
        """What to add to scores; None where nothing is hidden.

        -> (1 or batch, 1 or heads, 1 or seq, total) float32
        """
        if self._additive is None and not self._hides_nothing():
            self._additive = np.where(self._shown(), np.float32(0.0), np.float32(HIDDEN))
        return self._additive

    def _hides_nothing(self) -> bool:
        return (
            not self.causal
            and self.window is None
            and self.padding is None
            and self.allowed is None
        )

    def _shown(self) -> np.ndarray:
        shown: Any = True
        if self.causal or self.window is not None:
            behind = np.arange(self.total - self.seq, self.total)[:, None] - np.arange(self.total)
            shown = behind >= 0 if self.causal else np.ones_like(behind, bool)
            if self.window is not None:
                shown &= np.abs(behind) < self.window
            shown = shown[None, None]
        if self.padding is not None:
            shown = shown & self.padding[:, None, None]
        return shown if self.allowed is None else shown & self.allowed
