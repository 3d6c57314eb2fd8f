"""How many threads compute, decided once, and how they share the work.

OpenBLAS counts the machine's cores and ignores a container's quota; oversubscribed it becomes many
times slower. So the number comes from the CPU affinity and the cgroup quota, and BLAS is told.

BLAS spreads a large matrix product over its own threads. Everything else in NumPy runs on one, so
`spread` gives blocks of it to the threads of this module. The two never compute together: while
blocks are spread, BLAS is held to one thread.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
    """Compute with `n` threads from now on, in the whole process; BLAS is told as well.

    Call it from the main thread, before computing. With many worker processes, 1 each is best.
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads takes a positive integer, not {n!r}")
    global _limiter, _team
    from threadpoolctl import threadpool_limits

    _limiter = threadpool_limits(limits=n, user_api="blas")
    with _team_lock:
        _team, previous = None, _team
    if previous is not None:
        previous.dismiss()


def get_num_threads() -> int:
    """Threads BLAS uses now; 1 when no BLAS that can be asked is loaded."""
    return max((library.num_threads for library in _blas()), default=1)


@functools.cache
def respect_quota() -> None:
    """Lower BLAS's threads to `available_cpus()`, unless the environment has set a number.

    Called when a model is built; the first time counts.
    """
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if _limiter is not None or any(os.environ.get(v) for v in variables):
        return
    # asking threadpoolctl costs milliseconds: only where BLAS would count wrong
    allowed = available_cpus()
    if allowed < (os.cpu_count() or 1):
        set_num_threads(allowed)


def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return [c for c in ThreadpoolController().lib_controllers if c.user_api == "blas"]


# Spreading work

# A thread that sleeps takes 50 us to wake, a sixth of a GPT-2 layer's product. So a helper watches
# for work a while before it sleeps, by operations that leave the interpreter to the other threads.
_PAUSE = 16384  # elements of such an operation: 8 us
_WATCH = 150  # operations without work until it sleeps
_PATIENCE = 2000  # sixteenths of such operations that the caller waits for its helpers, awake


def spread(task: Callable[[int], Any], count: int) -> None:
    """Run task(0), ..., task(count - 1), on as many threads as compute.

    The tasks should be few and large, of NumPy calls that take some 100 us each. Where other work
    is being spread (by another thread, or around this call), they run here one after the other.
    The first exception of a task is raised, when all threads have stopped.
    """
    if count > 1:
        team = _team or _gather()
        if team.size > 1 and team.lock.acquire(blocking=False):
            try:
                team.run(task, count)
            finally:
                team.lock.release()
            return
    for i in range(count):
        task(i)


def parts(n: int, at_least: int = 1) -> int:
    """Into how many parts to cut `n` things, at least so many each: no more than the threads."""
    return 1 if n < 2 * at_least else min((_team or _gather()).size, n // at_least)


class _Job:
    __slots__ = ("error", "left", "returned", "task")

    def __init__(self, task: Callable[[int], Any], count: int):
        self.task = task
        self.left = iter(range(count))  # shared: each number goes to one thread
        self.error: BaseException | None = None
        self.returned: list[bool] = []  # one entry a thread that is done with it

    def work(self) -> None:
        try:
            for i in self.left:
                self.task(i)
        except BaseException as error:
            self.error = self.error or error
        self.returned.append(True)


class _Helper(threading.Thread):
    """A thread that works on the jobs it is handed, one at a time."""

    def __init__(self) -> None:
        super().__init__(name="minitransformers", daemon=True)
        self.jobs: deque[_Job | None] = deque()
        self.awake = threading.Semaphore(0)
        self.sleeping = False

    def hand(self, job: _Job | None) -> None:
        self.jobs.append(job)
        if self.sleeping:
            self.awake.release()

    def run(self) -> None:
        pause = np.zeros(_PAUSE, np.float32)
        while True:
            self._await(pause)
            job = self.jobs.popleft()
            if job is None:
                return
            job.work()
            del job  # and with it the arrays it holds

    def _await(self, pause: np.ndarray) -> None:
        for _ in range(_WATCH):
            if self.jobs:
                return
            np.sqrt(pause, pause)
        self.sleeping = True
        while not self.jobs:  # a wake-up may be left over from the last sleep
            self.awake.acquire()
        self.sleeping = False


class _Team:
    """This process's helpers and the caller, who computes as one of them."""

    def __init__(self, size: int, blas: list[Any]):
        self.size, self._blas = size, blas
        self.lock = threading.Lock()
        self._helpers: list[_Helper] = []
        self._pause = np.zeros(_PAUSE // 16, np.float32)

    def run(self, task: Callable[[int], Any], count: int) -> None:
        """Compute with the lock held."""
        if not self._helpers:
            self._helpers = [_Helper() for _ in range(self.size - 1)]
            for helper in self._helpers:
                helper.start()
        job = _Job(task, count)
        helpers = self._helpers[: count - 1]
        before = [library.num_threads for library in self._blas]
        for library in self._blas:
            library.set_num_threads(1)
        try:
            for helper in helpers:
                helper.hand(job)
            job.work()
            for waited in itertools.count():
                if len(job.returned) > len(helpers):
                    break
                if waited < _PATIENCE:
                    np.sqrt(self._pause, self._pause)
                else:  # the helper has lost its core to someone: do not burn ours meanwhile
                    time.sleep(1e-4)
        finally:
            for library, threads in zip(self._blas, before):
                library.set_num_threads(threads)
        if job.error is not None:
            raise job.error

    def dismiss(self) -> None:
        with self.lock:
            for helper in self._helpers:
                helper.hand(None)


_team: _Team | None = None
_team_lock = threading.Lock()


def _gather() -> _Team:
    global _team
    with _team_lock:
        if _team is None:
            # a BLAS that cannot be held to one thread would fight with ours
            libraries = _blas()
            size = max((c.num_threads for c in libraries), default=1)
            _team = _Team(size, libraries)
        return _team


def _after_fork() -> None:
    global _team, _team_lock
    _team, _team_lock = None, threading.Lock()  # threads do not survive a fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
