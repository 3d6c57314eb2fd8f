"""Checkpoints for the tests of pipelines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pipeline_models.py, pipeline_cases.py

import pipeline_models


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory) -> Path:
    """The folder that the tiny checkpoints of this run are in."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture
def folder(checkpoints):
    """folder(name) is the checkpoint of that name."""
    return lambda name: pipeline_models.build(checkpoints, name)


@pytest.fixture
def make(folder):
    """make(task, name, ...) is a pipeline with that checkpoint."""
    from minitransformers import pipeline

    return lambda task, name, **kwargs: pipeline(task, folder(name), **kwargs)
