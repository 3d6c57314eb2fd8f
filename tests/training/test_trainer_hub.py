"""push_to_hub of a Trainer, against the loopback Hub; the model card."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tiny
from hub_server import HubServer, hub_fixture  # noqa: F401  (pytest finds it here)
from hub_uploads import READER, TOKEN
from trainer_cases import BERT, accuracy, rows_of

from minitransformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
)
from minitransformers.hub import HubError
from minitransformers.training.card import model_card

# a warning of the Hub's library to itself, where it uploads through httpx
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ROWS = rows_of("classes", 8, False, 0)


@pytest.fixture(autouse=True)
def signed_in(hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", hub.url, raising=False)  # until 0.24


def build(folder: Path, **options: Any) -> Trainer:
    defaults = dict(
        num_train_epochs=2, per_device_train_batch_size=4, report_to="none", disable_tqdm=True,
        push_to_hub=True, hub_always_push=True, save_steps=2, eval_strategy="epoch",
    )  # fmt: skip
    return Trainer(
        tiny.fill(BertForSequenceClassification(BertConfig(**BERT))),
        TrainingArguments(str(folder), **(defaults | options)),
        train_dataset=ROWS,
        eval_dataset=ROWS,
        compute_metrics=accuracy,
    )


def messages(hub: HubServer) -> list[str]:
    return [commit["lines"][0]["value"]["summary"] for commit in hub.log if "lines" in commit]


MODEL = {"config.json", "model.safetensors", "training_args.json"}


def test_every_save(hub: HubServer, tmp_path: Path, capsys: Any) -> None:
    trainer = build(tmp_path / "finetuned")
    assert trainer.hub_model_id == "me/finetuned"
    trainer.train()
    assert set(hub.files("me/finetuned")) - {".gitattributes"} == MODEL
    assert messages(hub) == ["Training in progress, step 2", "Training in progress, step 4"]
    done = trainer.push_to_hub(dataset="rows", tags="small", language="en")
    assert messages(hub)[2] == done.commit_message == "End of training"
    assert set(hub.files("me/finetuned")) - {".gitattributes"} == MODEL | {"README.md"}
    card = hub.files("me/finetuned")["README.md"].decode()
    assert "- generated_from_trainer" in card
    assert "trained on rows." in card
    again = AutoModelForSequenceClassification.from_pretrained("me/finetuned")
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], array)


def test_at_the_end_only(hub: HubServer, tmp_path: Path, capsys: Any) -> None:
    trainer = build(
        tmp_path, hub_strategy="end", hub_model_id="org/named", hub_private_repo=True,
        save_strategy="epoch",
    )  # fmt: skip
    trainer.train()
    assert messages(hub) == []
    assert hub.repos["org/named"].private
    trainer.save_model()
    assert messages(hub) == ["Model save"]
    future = trainer.push_to_hub(blocking=False)
    assert future.result().commit_message == "End of training"


def test_checkpoints(hub: HubServer, tmp_path: Path, capsys: Any) -> None:
    last = build(tmp_path / "last", hub_strategy="checkpoint", save_strategy="epoch")
    last.train()
    assert messages(hub)[:2] == [
        "Training in progress, epoch 1",
        "Training in progress, epoch 1, checkpoint",
    ]
    files = set(hub.files("me/last"))
    assert {"last-checkpoint/optimizer.safetensors", "last-checkpoint/trainer_state.json"} < files
    every = build(tmp_path / "every", hub_strategy="all_checkpoints", save_total_limit=1)
    every.train()
    files = set(hub.files("me/every"))
    assert {"checkpoint-2/rng_state.json", "checkpoint-4/model.safetensors"} < files


def test_pushing_without_the_option(hub: HubServer, tmp_path: Path) -> None:
    trainer = build(tmp_path / "later", push_to_hub=False)
    trainer.push_to_hub("first", revision=None)
    assert set(hub.files("me/later")) > MODEL
    assert messages(hub) == ["first"]


def test_refusals(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match="cannot push to 'org/x' at .*the token may not write"):
        build(tmp_path, hub_token=READER, hub_model_id="org/x")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match="the session is offline"):
        build(tmp_path)


def test_card(tmp_path: Path, capsys: Any) -> None:
    trainer = build(tmp_path, push_to_hub=False, logging_steps=2, warmup_steps=1)
    trainer.train()
    trainer.model.config.name_or_path = "org/base"
    card = model_card(
        trainer, license="mit", dataset_tags="yelp", dataset="Yelp", dataset_args="full"
    )
    head, _, body = card.removeprefix("---\n").partition("---\n")
    for line in ("license: mit", "base_model: org/base", "library_name: transformers", "- yelp"):
        assert f"{line}\n" in head
    assert "type: text-classification" in head
    assert "name: Accuracy" in head
    assert "[org/base](https://huggingface.co/org/base), fine-tuned, trained on Yelp." in body
    for line in ("- learning_rate: 5e-05", "- num_epochs: 2", "- lr_scheduler_warmup_steps: 1"):
        assert f"{line}\n" in body or f"{line}.0\n" in body
    assert "- Loss: 0." in body
    assert "| Training Loss | Epoch | Step | Validation Loss | Accuracy |" in body
    trainer.create_model_card(tags=["a"])
    trainer.create_model_card(tags="b")  # what was there before stays
    assert "tags:\n- b\n- a\n- generated_from_trainer\n" in (tmp_path / "README.md").read_text()


def test_card_of_new_weights(tmp_path: Path) -> None:
    card = model_card(build(tmp_path / "fresh", push_to_hub=False))
    assert "# fresh\n\nThis model is new weights, trained on data that this card does not" in card
    assert "Training results" not in card
    assert "model-index" not in card
