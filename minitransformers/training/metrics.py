"""Speeds, and metrics as people read them."""

from __future__ import annotations

import datetime
import time
from typing import Any


def speed_metrics(
    split: str,
    start_time: float,
    num_samples: float | None = None,
    num_steps: float | None = None,
    num_tokens: float | None = None,
) -> dict[str, float]:
    """{split_runtime, split_samples_per_second, ...} since start_time, as `time.time()` gives it"""
    runtime = time.time() - start_time
    result = {f"{split}_runtime": round(runtime, 4)}
    counts = {"samples": num_samples, "steps": num_steps, "tokens": num_tokens}
    if runtime > 0:
        for name, count in counts.items():
            if count is not None:
                result[f"{split}_{name}_per_second"] = round(count / runtime, 3)
    return result


def metrics_format(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics for reading: runtimes as h:mm:ss.cc, floating point operations in units of 2**30."""

    def form(name: str, value: Any) -> Any:
        if "_runtime" in name:
            hundredths = int(abs(value - int(value)) * 100)
            return f"{datetime.timedelta(seconds=int(value))}.{hundredths:02d}"
        if name == "total_flos":
            return f"{int(value) >> 30}GF"
        return round(value, 4) if isinstance(value, float) else value

    return {name: form(name, value) for name, value in metrics.items()}


def metrics_table(split: str, metrics: dict[str, Any]) -> str:
    """The lines that `Trainer.log_metrics` prints."""
    shown = metrics_format(metrics)
    left = max(map(len, shown), default=0)
    right = max((len(str(value)) for value in shown.values()), default=0)
    lines = [f"  {name: <{left}} = {shown[name]!s:>{right}}" for name in sorted(shown)]
    return "\n".join([f"***** {split} metrics *****", *lines])
