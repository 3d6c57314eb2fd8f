"""A run that is killed goes on from its last checkpoint as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import resumed_run

from minitransformers import TrainerState
from minitransformers.training import checkpoint

WHEN = {"accumulated": 6, "few": 9, "epochs": 9}  # the batch to be killed at, else 5
PROCESSES = ("plain", "causal")  # killed as a process; the others by an exception


def logs(trainer: Any) -> list[dict[str, Any]]:
    """The history without times"""
    return [
        {k: v for k, v in log.items() if not k.endswith(("runtime", "per_second"))}
        for log in trainer.state.log_history
    ]


@pytest.mark.parametrize("variant", resumed_run.VARIANTS)
def test_killed(variant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = resumed_run.build(tmp_path / "whole", variant)
    expected = whole.train()
    when = WHEN.get(variant, 5)
    if variant in PROCESSES:
        command = [sys.executable, HERE / "resumed_run.py", tmp_path / "killed", variant, str(when)]
        killed = subprocess.run(command, capture_output=True, text=True)
        assert killed.returncode == -9, killed.stderr
    else:
        trainer = resumed_run.build(tmp_path / "killed", variant)
        trainer.killed_at = when
        with pytest.raises(resumed_run.Killed):
            trainer.train()
    assert 0 < len(checkpoint.sorted_checkpoints(str(tmp_path / "killed"))) <= when

    resumed = resumed_run.build(tmp_path / "killed", variant)
    output = resumed.train(resume_from_checkpoint=True)
    assert resumed.batches < whole.batches
    assert output.training_loss == expected.training_loss
    assert logs(resumed) == logs(whole)
    weights = resumed.model.state_dict()
    for name, array in whole.model.state_dict().items():
        assert np.array_equal(weights[name], array), name


@pytest.mark.parametrize(
    "options",
    [
        {"group_by_length": True},
        {"accelerator_config": {"use_seedable_sampler": False}},
        {"ignore_data_skip": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_from_the_last_step_of_an_epoch(
    options: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(name: str) -> Any:
        trainer = resumed_run.build(tmp_path / name, "plain")
        trainer.args = dataclasses.replace(
            trainer.args, **options, max_steps=9, save_steps=6, logging_steps=1
        )
        return trainer

    whole, resumed = build("whole"), build("resumed")
    assert len(whole.get_train_dataloader()) == 6
    whole.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-6"))
    assert resumed.batches == 3
    assert logs(resumed) == logs(whole)


def test_tied_weights_stay_tied_where_a_loop_replaces_them() -> None:
    trainer = resumed_run.build(Path("unused"), "tied")
    model = trainer.model
    n = model.num_parameters()
    for p in model.parameters():
        p.data = p.data * 0.5
    assert model.num_parameters() == n
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_no_half_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps, trainer.args.save_steps = 3, 1

    def fail(*args: Any) -> None:
        if trainer.state.global_step == 2:
            raise OSError("the disk is full")
        checkpoint_save_random(*args)

    checkpoint_save_random = checkpoint.save_random
    monkeypatch.setattr(checkpoint, "save_random", fail)
    with pytest.raises(OSError, match="the disk is full"):
        trainer.train()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]


def test_leftovers_of_a_killed_process(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / ".partial-checkpoint-9").mkdir()
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps = 1
    trainer.train()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]
    assert checkpoint.get_last_checkpoint(str(tmp_path)) == str(tmp_path / "checkpoint-1")


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps = 2
    trainer.train()
    folder = tmp_path / "checkpoint-2"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "optimizer.safetensors",
        "rng_state.json",
        "scheduler.json",
        "trainer_state.json",
        "training_args.json",
    ]
    assert json.loads((folder / "training_args.json").read_text())["max_steps"] == 2
    state = TrainerState.load_from_json(folder / "trainer_state.json")
    assert (state.global_step, state.max_steps) == (2, 2)
    # saving a step again replaces it
    trainer._save_checkpoint(trainer.model, None)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


def test_only_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps, trainer.args.save_only_model = 2, True
    trainer.train()
    assert not (tmp_path / "checkpoint-2" / "optimizer.safetensors").exists()
    resumed = resumed_run.build(tmp_path, "plain")
    resumed.args.max_steps = 4
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert resumed.batches == 2


def test_checkpoint_of_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without rng_state.json the position follows from the number of updates."""
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps = 4
    trainer.train()
    (tmp_path / "checkpoint-4" / "rng_state.json").unlink()
    resumed = resumed_run.build(tmp_path, "plain")
    resumed.train(resume_from_checkpoint=True)
    assert resumed.batches == 12 - 4
    assert resumed.state.epoch == 2.0


def test_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resumed_run.build(tmp_path, "plain").train()
    resumed = resumed_run.build(tmp_path, "plain")
    assert resumed.train(resume_from_checkpoint=True).global_step == 12
    assert resumed.batches == 0


def test_ignored_position(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = resumed_run.build(tmp_path, "plain")
    trainer.args.max_steps = 4
    trainer.train()
    resumed = resumed_run.build(tmp_path, "plain")
    resumed.args.ignore_data_skip = True
    resumed.train(resume_from_checkpoint=True)
    assert resumed.batches == 12 - 4


def test_nothing_to_resume(tmp_path: Path) -> None:
    trainer = resumed_run.build(tmp_path, "plain")
    with pytest.raises(ValueError, match="No valid checkpoint found in output directory"):
        trainer.train(resume_from_checkpoint=True)
    with pytest.raises(ValueError, match="Can't find a valid checkpoint at"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="Can't find a valid checkpoint at"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "empty"))
