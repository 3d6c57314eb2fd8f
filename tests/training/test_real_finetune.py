"""The example that fine-tunes a classifier, on real weights and tweets."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import minitransformers

EXAMPLE = Path(__file__).parents[2] / "examples" / "finetune_classifier.py"

pytestmark = pytest.mark.real


def test_losses_are_the_references(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from wheels import minilm

    spec = importlib.util.spec_from_file_location("finetune_classifier", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    trainer = example.finetune(minitransformers, minilm(), tmp_path, held_out=400, epochs=0.2)
    logs = trainer.state.log_history
    # what the script prints with --library transformers --epochs 0.2
    assert [log["loss"] for log in logs if "loss" in log] == pytest.approx(
        [0.6929, 0.6805], abs=2e-4
    )
    (evaluation,) = (log for log in logs if "eval_loss" in log)
    assert evaluation["eval_loss"] == pytest.approx(0.677189, abs=2e-4)
    assert evaluation["eval_accuracy"] == pytest.approx(0.715, abs=0.005)
