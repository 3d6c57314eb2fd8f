"""How many threads compute, decided once.

OpenBLAS counts the machine's cores and ignores a container's quota; oversubscribed it becomes many
times slower. So the number comes from the CPU affinity and the cgroup quota, and BLAS is told.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_limiter = None  # keeps threadpoolctl's settings alive


def available_cpus(cgroup: str | Path = "/sys/fs/cgroup") -> int:
    """CPUs this process may use: its affinity, capped by the cgroup's quota. At least 1."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _cgroup_quota(Path(cgroup)))))


def _cgroup_quota(root: Path) -> float:
    """CPUs allowed by cgroup v2 (cpu.max) or v1 (cpu.cfs_quota_us); infinite when unlimited."""
    try:
        quota, period = (root / "cpu.max").read_text().split()[:2]
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota_us = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else math.inf
    except (OSError, ValueError):
        return math.inf


def set_num_threads(n: int) -> None:
    """Let BLAS use `n` threads from now on, in the whole process.

    Call it from the main thread, before computing. With many worker processes, 1 each is best.
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads takes a positive integer, not {n!r}")
    global _limiter
    from threadpoolctl import threadpool_limits

    _limiter = threadpool_limits(limits=n, user_api="blas")


def get_num_threads() -> int:
    """Threads BLAS uses now; 1 when no BLAS that can be asked is loaded."""
    from threadpoolctl import threadpool_info

    return max((p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"), default=1)


def respect_quota() -> None:
    """Lower BLAS's threads to `available_cpus()`, unless the environment has set a number.

    Called once, when the first model is built.
    """
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if _limiter is not None or any(os.environ.get(v) for v in variables):
        return
    # asking threadpoolctl costs milliseconds: only where BLAS would count wrong
    allowed = available_cpus()
    if allowed < (os.cpu_count() or 1):
        set_num_threads(allowed)
