"""Runs of the Trainer give what the reference's give: logs, predictions, checkpoints."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitransformers

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tiny
import trainer_cases

GOLDEN = json.loads((HERE.parent / "golden" / "trainer.json").read_text())
_TIMES = ("runtime", "per_second", "preparation_time")


def assert_alike(ours: Any, theirs: Any, where: str) -> None:
    """Equal but for times, and to 1e-4 where numbers are not whole."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), where
        for name in theirs:
            if not name.endswith(_TIMES):
                assert_alike(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(theirs, list) and not (theirs and isinstance(theirs[0], (int, float))):
        assert len(ours) == len(theirs), where
        for i, (a, b) in enumerate(zip(ours, theirs)):
            assert_alike(a, b, f"{where}[{i}]")
    elif isinstance(theirs, (list, float)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4, err_msg=where)
    else:
        assert ours == theirs, where


@pytest.mark.parametrize("name", trainer_cases.CASES)
def test_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = trainer_cases.run(
        minitransformers, tiny.fill, np.array, trainer_cases.Stream, name, tmp_path
    )
    assert_alike(result, GOLDEN[name], name)
    assert math.isfinite(result["training_loss"])
