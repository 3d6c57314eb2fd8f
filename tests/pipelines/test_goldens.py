"""Every pipeline answers as the reference does, over the grid of arguments."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any

import numpy as np
import pipeline_models
import pytest
from pipeline_cases import GROUPS

from minitransformers import pipeline

ANSWERS = json.loads(gzip.decompress((pipeline_models.GOLDEN / "pipelines.json.gz").read_bytes()))


def check(found: Any, wanted: Any, where: str) -> None:
    """Compare, numbers by their value, and the order of equals as it comes."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        assert list(found) == list(wanted), where
        for name in wanted:
            check(found[name], wanted[name], f"{where}.{name}")
    elif isinstance(wanted, list):
        found = found.tolist() if isinstance(found, np.ndarray) else found
        assert isinstance(found, list), where
        assert len(found) == len(wanted), where
        for i, (x, y) in enumerate(zip(found, wanted)):
            check(x, y, f"{where}[{i}]")
    elif isinstance(wanted, float):
        assert type(found) is float, where
        assert found == pytest.approx(wanted, rel=1e-4, abs=2e-5), where
    else:
        assert type(found) is type(wanted), where
        assert found == wanted, where


@pytest.mark.parametrize("group", GROUPS)
def test_answers_as_the_reference(group, folder):
    made: dict = {}
    assert len(GROUPS[group]) == len(ANSWERS[group]), "run tests/golden/make_pipelines.py"
    failed = []
    for case, wanted in zip(GROUPS[group], ANSWERS[group]):
        if isinstance(wanted, dict) and "error" in wanted:
            continue  # where the reference fails, other tests say what we do
        task, model, init, args, kwargs = case
        key = (task, model, json.dumps(init))
        try:
            if key not in made:
                made[key] = pipeline(task, folder(model), **init)
            found = made[key](*copy.deepcopy(args), **copy.deepcopy(kwargs))
            check(found, wanted, "result")
        except Exception as error:
            failed.append(f"{case}\n    {type(error).__name__}: {str(error)[:300]}")
    assert not failed, f"{len(failed)} of {len(ANSWERS[group])}\n" + "\n".join(failed[:12])
