"""The table of speeds can be measured: every work runs, of tiny models. No time is asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_work_runs() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from speed.works import WORKS
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    done = subprocess.run(
        [sys.executable, "-m", "speed", "--smoke"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT / "benchmarks")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for work in WORKS.values():
        assert f"{work.title}: minitransformers " in done.stdout
