"""How many threads compute, decided once, and how they share the work.

OpenBLAS counts the machine's cores and ignores a container's quota; oversubscribed it becomes many
times slower. So the number comes from the CPU affinity and the cgroup quota, and BLAS is told.

BLAS spreads a large matrix product over its own threads. Everything else in NumPy runs on one, so
`spread` gives blocks of it to the threads of this module. The two never compute together: while
blocks are spread, BLAS is held to one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
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
def prepare_blas() -> None:
    """Tell BLAS how many threads to use and that they sleep early, unless the environment says it.

    Called when a model is built; the first time counts.
    """
    _respect_quota()
    _shorten_watch()


def _respect_quota() -> None:
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if _limiter is not None or any(os.environ.get(v) for v in variables):
        return
    # asking threadpoolctl costs milliseconds: only where BLAS would count wrong
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
    for library in _blas():
        read = getattr(library.dynlib, "openblas_read_env", None)
        stop = getattr(library.dynlib, "blas_thread_shutdown_", None)  # until the next product
        if read is not None and stop is not None:
            read()
            stop()


def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return [c for c in ThreadpoolController().lib_controllers if c.user_api == "blas"]


# Spreading work

# A thread that sleeps takes 50 us to wake, a sixth of a GPT-2 layer's product, whether it sleeps
# for want of work or because another holds the interpreter. So who waits for something near watches
# a bell for a while before it sleeps, and the watching leaves the interpreter to the others.
_PATIENCE = 2  # times that the caller watches for the end of its helpers' work before it sleeps


class _Bell:
    """What one thread rings and another watches, awake but without the interpreter."""

    # One NumPy call reads the same byte 200 times 15,000 times, 1 ms. A row ends at the ring, the
    # rows after it take 10 us together: by then who rang has let go of the interpreter.
    _ROWS, _LOOKS = 200, 15_000

    def __init__(self) -> None:
        self._rung = np.zeros(1, np.bool_)
        self._watched = np.broadcast_to(self._rung, (self._ROWS, self._LOOKS))
        self._seen = np.empty(self._ROWS, np.bool_)

    def ring(self) -> None:
        self._rung[0] = True

    def watch(self, ready: Callable[[], Any]) -> bool:
        """Wait until `ready()`, of which a ring tells, 1 ms at most. -> whether it is"""
        self._rung[0] = False
        if not ready():
            np.logical_or.reduce(self._watched, axis=1, out=self._seen)
        return bool(ready())


def spread(task: Callable[[int], Any], count: int, more_follows: bool = False) -> None:
    """Run task(0), ..., task(count - 1), on as many threads as compute.

    The tasks should be few and large, of NumPy calls that take some 100 us each. Where other work
    is being spread (by another thread, or around this call), they run here one after the other.
    The first exception of a task is raised, when all threads have stopped.

    more_follows: the next work to spread is expected within a millisecond, so that helpers wait for
        it awake; otherwise they sleep and leave their cores to BLAS's threads. BLAS is then held to
        one thread for a single task, too: its threads would share a core with whoever waits for
        them, which takes milliseconds
    """
    if count > 1 or more_follows:
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
    return 1 if n < 2 * at_least else min((_team or _gather()).size, n // at_least)


class _Job:
    """Numbers of a task, of which `threads` threads take what is left."""

    __slots__ = ("_bell", "_left", "_returned", "_task", "_threads", "error")

    def __init__(self, task: Callable[[int], Any], count: int, threads: int, bell: _Bell):
        self._task, self._threads, self._bell = task, threads, bell
        self._left = iter(range(count))  # shared: each number goes to one thread
        self._returned: list[bool] = []  # one entry a thread that is done with it
        self.error: BaseException | None = None

    def done(self) -> bool:
        return len(self._returned) == self._threads

    def work(self) -> None:
        try:
            for i in self._left:
                self._task(i)
        except BaseException as error:
            self.error = self.error or error
        self._returned.append(True)
        if self.done():
            self._bell.ring()


class _Helper(threading.Thread):
    """A thread that works on the jobs it is handed, one at a time."""

    def __init__(self) -> None:
        super().__init__(name="minitransformers", daemon=True)
        self.jobs: deque[_Job | None] = deque()
        self.bell = _Bell()
        self.expectant = False  # whether it waits for the next job awake
        self.awake = threading.Semaphore(0)
        self.sleeping = False

    def hand(self, job: _Job | None) -> None:
        self.jobs.append(job)
        self.bell.ring()
        if self.sleeping:
            self.awake.release()

    def run(self) -> None:
        while True:
            if not (self.expectant and self.bell.watch(lambda: self.jobs)):
                self._sleep()
            job = self.jobs.popleft()
            if job is None:
                return
            job.work()
            del job  # and with it the arrays it holds

    def _sleep(self) -> None:
        self.sleeping = True
        while not self.jobs:  # a wake-up may be left over from the last sleep
            self.awake.acquire()
        self.sleeping = False


class _Team:
    """This process's helpers and the caller, who computes as one of them."""

    def __init__(self, size: int, blas: list[Any]):
        self.size, self._blas = size, blas
        self._current_cpu = _current_cpu()
        self._callers_cpu = -1
        self.lock = threading.Lock()
        self._helpers: list[_Helper] = []
        self._bell = _Bell()

    def run(self, task: Callable[[int], Any], count: int, more_follows: bool) -> None:
        """Compute with the lock held."""
        if not self._helpers and count > 1:
            self._helpers = [_Helper() for _ in range(self.size - 1)]
            for helper in self._helpers:
                helper.start()
        helpers = self._helpers[: count - 1]
        job = _Job(task, count, len(helpers) + 1, self._bell)
        self._keep_apart()
        before = [library.num_threads for library in self._blas]
        for library in self._blas:
            library.set_num_threads(1)
        try:
            for helper in helpers:
                helper.expectant = more_follows
                helper.hand(job)
            job.work()
            for waited in itertools.count():
                if waited < _PATIENCE:
                    if self._bell.watch(job.done):
                        break
                elif job.done():
                    break
                else:  # the helper has lost its core to someone: do not burn ours meanwhile
                    time.sleep(1e-4)
        finally:
            for library, threads in zip(self._blas, before):
                library.set_num_threads(threads)
        if job.error is not None:
            raise job.error

    def _keep_apart(self) -> None:
        """Keep the helpers off the caller's CPU.

        Linux wakes a thread where it ran last or where its waker runs, and looks no further while
        the machine is busy: two threads that meet on a CPU stay there for milliseconds, next to an
        idle one.
        """
        cpu = self._current_cpu()
        if cpu == self._callers_cpu:
            return
        self._callers_cpu = cpu
        others = os.sched_getaffinity(0) - {cpu}
        with contextlib.suppress(OSError):  # not allowed here
            for helper in self._helpers if others else ():
                os.sched_setaffinity(helper.native_id or 0, others)

    def rest(self) -> None:
        for helper in self._helpers:
            if helper.expectant:
                helper.expectant = False
                helper.bell.ring()

    def dismiss(self) -> None:
        with self.lock:
            for helper in self._helpers:
                helper.hand(None)


def _current_cpu() -> Callable[[], int]:
    """What tells the CPU it is called on; always -1 where threads cannot be placed."""
    try:
        # a PyDLL keeps the interpreter: letting go of it would cost more than the call
        return ctypes.PyDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else lambda: -1
    except (AttributeError, OSError):
        return lambda: -1


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
