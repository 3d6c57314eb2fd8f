"""The BLAS libraries NumPy computes with, and how many threads each of them uses."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class Blas:
    """A loaded BLAS library.

    threadpoolctl finds it, and knows how to ask and tell it. OpenBLAS on threads of its own is
    asked directly instead: its number is the whole process's, but threadpoolctl (3.8) lets only the
    Python thread that told it first tell it again, and a model computes on whatever thread calls
    it. (Measured: GPT-2 with 32 rows on a second thread took seven times as long.)

    per_thread: whether the number is the calling thread's only, as where OpenMP's threads compute
    """

    get_num_threads: Callable[[], int]
    set_num_threads: Callable[[int], Any]

    def __init__(self, controller: Any):
        self.per_thread = getattr(controller, "threading_layer", None) == "openmp"
        self._library = controller.dynlib
        self._held: Any = threading.local() if self.per_thread else SimpleNamespace()
        self._lock = threading.Lock()
        self.get_num_threads = controller.get_num_threads
        self.set_num_threads = controller.set_num_threads
        if controller.internal_api == "openblas" and not self.per_thread:
            # a PyDLL keeps the interpreter: to take it back costs more than these calls
            library = ctypes.PyDLL(controller.filepath)
            for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
                read = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
                tell = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
                if read is not None and tell is not None:
                    self.get_num_threads, self.set_num_threads = read, tell
                    break

    def hold(self) -> None:
        """Hold it to one thread, until as many calls of `release`."""
        with self._lock:
            holders = getattr(self._held, "holders", 0)
            if not holders:
                self._held.before = self.get_num_threads()
                self.set_num_threads(1)
            self._held.holders = holders + 1

    def release(self) -> None:
        with self._lock:
            self._held.holders -= 1
            if not self._held.holders:
                self.set_num_threads(self._held.before)

    def forsake(self) -> None:
        """In a forked process, whose one thread is not who holds it: give it its threads back."""
        if getattr(self._held, "holders", 0):
            self.set_num_threads(self._held.before)

    def read_environment(self) -> None:
        """Have OpenBLAS read its environment variables again; it restarts its threads for that."""
        read = getattr(self._library, "openblas_read_env", None)
        stop = getattr(self._library, "blas_thread_shutdown_", None)  # until the next product
        if read is not None and stop is not None:
            read()
            stop()


def loaded() -> list[Blas]:
    """The BLAS libraries of this process. It takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().lib_controllers
    return [Blas(controller) for controller in found if controller.user_api == "blas"]
