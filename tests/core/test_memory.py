"""glibc is told once what to keep, and only by us if by nobody else."""

from __future__ import annotations

import ctypes

import pytest

from minitransformers.core import memory


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    calls: list[tuple[int, int]] = []

    class Library:
        mallopt = staticmethod(lambda what, value: calls.append((what, value)))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    memory.keep_freed_memory.cache_clear()
    yield calls
    memory.keep_freed_memory.cache_clear()


def test_the_first_call_counts(told: list) -> None:
    memory.keep_freed_memory()
    memory.keep_freed_memory()
    assert told == [(-1, 2**31 - 1), (-3, 2**30)]


def test_the_environment_comes_first(told: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    memory.keep_freed_memory()
    assert told == []


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, told: list) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory.keep_freed_memory()
    assert told == []
