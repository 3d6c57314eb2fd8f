"""Threads that help the calling one: how they are woken, handed work and waited for."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .blas import Blas

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

    def __init__(self, libraries: list[Blas]) -> None:
        super().__init__(name="minitransformers", daemon=True)
        self._libraries = libraries
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
        for library in self._libraries:
            if library.per_thread:
                library.hold()
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


class Team:
    """This process's helpers and the caller, who computes as one of them."""

    def __init__(self, size: int, libraries: list[Blas]):
        self.size, self.libraries = size, libraries
        self._current_cpu = _current_cpu()
        self._callers_cpu = -1
        self.lock = threading.Lock()
        self._helpers: list[_Helper] = []
        self._bell = _Bell()

    def run(self, task: Callable[[int], Any], count: int, more_follows: bool) -> None:
        """Compute with the lock held."""
        if not self._helpers and count > 1:
            self._helpers = [_Helper(self.libraries) for _ in range(self.size - 1)]
            for helper in self._helpers:
                helper.start()
        helpers = self._helpers[: count - 1]
        job = _Job(task, count, len(helpers) + 1, self._bell)
        self._keep_apart()
        for library in self.libraries:
            library.hold()
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
            for library in self.libraries:
                library.release()
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
