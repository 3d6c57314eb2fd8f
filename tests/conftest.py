"""Shared fixtures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests share helpers: tiny.py, hub_server.py


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _forget_warnings():
    """Let each test see the warnings that are given once a process."""
    from minitransformers.logging import warning_once

    warning_once.cache_clear()
