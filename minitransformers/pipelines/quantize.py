"""Vectors in fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np


def quantize_embeddings(
    embeddings: Any,
    precision: str,
    ranges: np.ndarray | None = None,
    calibration_embeddings: np.ndarray | None = None,
) -> np.ndarray:
    """Round the elements of vectors.

    embeddings: (n, hidden)
    precision: "float32" leaves them; "int8" and "uint8" cut each element's range into 255 steps;
        "binary" and "ubinary" keep the signs, eight in a byte
    ranges: (2, hidden) least and greatest elements; by default those of calibration_embeddings, or
        of the embeddings themselves
    -> (n, hidden) or, for signs, (n, hidden / 8). Raises ValueError for another precision
    """
    embeddings = np.asarray(embeddings)
    if precision == "float32":
        return embeddings.astype(np.float32, copy=False)
    if precision.endswith("int8"):
        if ranges is None:
            known = embeddings if calibration_embeddings is None else calibration_embeddings
            ranges = np.stack([np.min(known, axis=0), np.max(known, axis=0)])
        starts, steps = ranges[0], (ranges[1] - ranges[0]) / 255
        with np.errstate(invalid="ignore", divide="ignore"):  # of a single vector there is no range
            scaled = (embeddings - starts) / steps
            if precision == "uint8":
                return scaled.astype(np.uint8)
            if precision == "int8":
                return (scaled - 128).astype(np.int8)
    if precision in ("binary", "ubinary"):
        bits = np.packbits(embeddings > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    raise ValueError(
        f"precision must be float32, int8, uint8, binary or ubinary, not {precision!r}"
    )
