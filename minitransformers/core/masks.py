"""Which keys a query may see: the only place where masks are built."""

from __future__ import annotations

from typing import Any

import numpy as np

# Added to the scores of hidden keys. Not -inf: a query that sees nothing attends to all keys alike,
# where -inf would give NaN.
HIDDEN = float(np.finfo(np.float32).min)
_WHOLE = 1 << 22  # elements up to which a mask is made as a whole, once for all layers and blocks


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
            self._additive = _additive(self._shown(0, self.seq, 0, self.total))
        return self._additive

    def block(self, start: int, stop: int) -> tuple[int, int, np.ndarray | None]:
        """Of queries start to stop, which keys they can see at most and what to add to the scores.

        -> first key, last key + 1, (1 or batch, 1 or heads, 1 or queries, keys) or None
        A query whose keys all are padding takes notice of these keys only, not of all `total`.
        """
        past = self.total - self.seq
        first, last = 0, self.total
        if self.causal:
            last = past + stop
        if self.window is not None:
            first = max(0, past + start - self.window + 1)
            last = min(last, past + stop + self.window - 1)
        if self._hides_nothing():
            return first, last, None
        if self._additive is None and self._elements() > _WHOLE:
            return first, last, _additive(self._shown(start, stop, first, last))
        whole = self.additive()
        assert whole is not None
        rows = slice(None) if whole.shape[2] == 1 else slice(start, stop)
        return first, last, whole[:, :, rows, first:last]

    def _elements(self) -> int:
        """Of what `additive` would return."""
        if self.allowed is not None:
            return self.allowed.size
        batch = 1 if self.padding is None else len(self.padding)
        return batch * self.total * (self.seq if self.causal or self.window is not None else 1)

    def _hides_nothing(self) -> bool:
        return (
            not self.causal
            and self.window is None
            and self.padding is None
            and self.allowed is None
        )

    def _shown(self, start: int, stop: int, first: int, last: int) -> np.ndarray:
        """Which of the keys from `first` to `last` the queries from `start` to `stop` see."""
        shown: Any = True
        if self.causal or self.window is not None:
            queries = np.arange(start, stop) + (self.total - self.seq)
            behind = queries[:, None] - np.arange(first, last)
            shown = behind >= 0 if self.causal else np.ones_like(behind, bool)
            if self.window is not None:
                shown &= np.abs(behind) < self.window
            shown = shown[None, None]
        if self.padding is not None:
            shown = shown & self.padding[:, None, None, first:last]
        return shown if self.allowed is None else shown & self.allowed[:, :, start:stop, first:last]


def _additive(shown: np.ndarray) -> np.ndarray:
    return np.where(shown, np.float32(0.0), np.float32(HIDDEN))
