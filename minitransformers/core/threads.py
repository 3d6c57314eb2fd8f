"""How many threads compute, decided once, and how they share the work.

OpenBLAS counts the machine's cores and ignores a container's quota; oversubscribed it becomes many
times slower. So the number comes from the CPU affinity and the cgroup quota, and BLAS is told.

BLAS spreads a large matrix product over its own threads. Everything else in NumPy runs on one, so
`spread` gives blocks of it to the threads of this module. The two never compute together: while
blocks are spread, BLAS is held to one thread.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import blas
from .blas import Blas
from .team import Team

_told = False  # whether `set_num_threads` was called


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
    """Compute with `n` threads from now on, in the whole process; BLAS is told as well.

    Call it before computing. With many worker processes, 1 each is best.
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads takes a positive integer, not {n!r}")
    global _told, _team
    for library in blas.loaded():
        library.set_num_threads(n)
    _told = True
    with _team_lock:
        _team, previous = None, _team
    if previous is not None:
        previous.dismiss()


def get_num_threads() -> int:
    """Threads BLAS uses now; 1 when no BLAS that can be asked is loaded."""
    return max((library.get_num_threads() for library in blas.loaded()), default=1)


@functools.cache
def prepare_blas() -> None:
    """Tell BLAS how many threads to use and that they sleep early, unless the environment says it.

    Called when a model is built; the first time counts.
    """
    _respect_quota()
    _shorten_watch()


def _respect_quota() -> None:
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if _told or any(os.environ.get(v) for v in variables):
        return
    # finding BLAS costs milliseconds: only where it would count wrong
    allowed = available_cpus()
    if allowed < (os.cpu_count() or 1):
        set_num_threads(allowed)


def _shorten_watch() -> None:
    """Where NumPy was imported first, have OpenBLAS read what the package's first lines set else.

    It restarts its threads for that, which must not happen during a product on another thread.
    """
    if "OPENBLAS_THREAD_TIMEOUT" in os.environ or threading.active_count() > 1:
        return
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
    for library in blas.loaded():
        library.read_environment()


# Spreading work


def spread(task: Callable[[int], Any], count: int, more_follows: bool = False) -> None:
    """Run task(0), ..., task(count - 1), on as many threads as compute.

    The tasks should be few and large, of NumPy calls that take some 100 us each. Where other work
    is being spread (by another thread, or around this call), and where many threads compute (see
    `computing`), they run here one after the other.
    The first exception of a task is raised, when all threads have stopped.

    more_follows: the next work to spread is expected within a millisecond, so that helpers wait for
        it awake; otherwise they sleep and leave their cores to BLAS's threads. BLAS is then held to
        one thread for a single task, too: its threads would share a core with whoever waits for
        them, which takes milliseconds
    """
    if (count > 1 or more_follows) and not _callers.many:
        team = _team or _gather()
        if team.size > 1 and team.lock.acquire(blocking=False):
            try:
                team.run(task, count, more_follows)
            finally:
                team.lock.release()
            return
    for i in range(count):
        task(i)


def spread_range(task: Callable[[int, int], Any], n: int, more_follows: bool = False) -> None:
    """Call task(start, stop) for ranges that cover `n` things, one range a thread; see `spread`."""
    share = parts(n)
    spread(lambda i: task(n * i // share, n * (i + 1) // share), share, more_follows)


def rest() -> None:
    """Send helpers that wait awake to sleep: BLAS is about to compute with its own threads."""
    if _team is not None:
        _team.rest()


def parts(n: int, at_least: int = 1) -> int:
    """Into how many parts to cut `n` things, at least so many each: no more than the threads."""
    if n < 2 * at_least or _callers.many:
        return 1
    return min((_team or _gather()).size, n // at_least)


_team: Team | None = None
_team_lock = threading.Lock()


def _gather() -> Team:
    global _team
    with _team_lock:
        if _team is None:
            # a BLAS that cannot be held to one thread would fight with ours
            libraries = blas.loaded()
            size = max((library.get_num_threads() for library in libraries), default=1)
            _team = Team(size, libraries)
        return _team


class _Callers:
    """How many threads compute: see `computing`.

    many: whether each of them computes alone
    """

    def __init__(self) -> None:
        self.many = False
        self._count = 0
        self._lock = threading.Lock()
        self._held: list[Blas] = []  # those whose number is not each thread's own

    def enter(self) -> None:
        self._change(1)

    def leave(self) -> None:
        self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            self._count += by
            self.many = self._count > 1 and self._count > _gather().size // 2
            if self.many and not self._held:
                self._held = [b for b in _gather().libraries if not b.per_thread]
                for library in self._held:
                    library.hold()
            elif not self.many:
                while self._held:
                    self._held.pop().release()


_callers = _Callers()
_here = threading.local()


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Say that this thread computes meanwhile: a model's call, a generation.

    Threads that compute at once hinder each other where each of them uses all cores: BLAS does one
    product of several threads at a time, and a core that is shared keeps the others waiting
    (measured, two generations of eight rows on two cores: 9 s at once, 3.1 s in turns). So where
    they are more than half as many as the threads, each computes on its own one only: 2.3 s.
    """
    if getattr(_here, "computes", False):
        yield
        return
    callers = _callers  # a fork replaces them
    callers.enter()
    _here.computes = True
    try:
        yield
    finally:
        _here.computes = False
        callers.leave()


def _after_fork() -> None:
    global _callers, _team, _team_lock
    for library in _team.libraries if _team is not None else ():
        library.forsake()
    _team, _team_lock = None, threading.Lock()  # threads do not survive a fork
    _callers = _Callers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
