"""The steps of docs/adding_a_model.md, executed."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from minitransformers import AutoConfig, AutoModel, GPT2Config
from minitransformers.models import auto

DOCUMENT = Path(__file__).parents[1] / "docs" / "adding_a_model.md"


@pytest.fixture(autouse=True)
def _forget_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "_registered_configs", {})
    monkeypatch.setattr(auto, "_registered_models", {})


@pytest.fixture
def names(tmp_path: Any) -> dict[str, Any]:
    """What the document's code defines, after it ran."""
    code = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert len(code) == 7
    names: dict[str, Any] = {"folder": str(tmp_path / "meadow"), "__name__": "document"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the classifier's head is new, which is told
        for number, snippet in enumerate(code, 1):
            exec(compile(snippet, f"{DOCUMENT.name}, step {number}", "exec"), names)
    return names


def test_steps_of_the_document(names: dict[str, Any]) -> None:
    assert isinstance(names["again"], names["MeadowForCausalLM"])
    assert type(AutoModel.from_pretrained(names["folder"])) is names["MeadowModel"]
    assert names["again"].lm_head.weight is names["again"].meadow.tokens.weight


def test_a_name_is_taken_once(names: dict[str, Any]) -> None:
    config, model = names["MeadowConfig"], names["MeadowModel"]
    with pytest.raises(ValueError, match=r"'meadow' is taken"):
        AutoConfig.register("meadow", config)
    AutoConfig.register("meadow", config, exist_ok=True)
    with pytest.raises(ValueError, match=r"MeadowConfig has a model already"):
        AutoModel.register(config, model)
    AutoModel.register(config, model, exist_ok=True)
    with pytest.raises(ValueError, match=r"'meadow', but it is registered as 'heath'"):
        AutoConfig.register("heath", config)


def test_another_class_for_a_known_architecture() -> None:
    class Mine(AutoModel._class_for(GPT2Config())):  # type: ignore[misc]
        pass

    AutoModel.register(GPT2Config, Mine, exist_ok=True)
    config = GPT2Config(vocab_size=9, n_embd=4, n_layer=1, n_head=2)
    assert type(AutoModel.from_config(config)) is Mine


def test_an_unknown_architecture_is_named_with_the_known(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "moor"}))
    with pytest.raises(ValueError, match=r"unknown model type 'moor'; the known ones are .*bert"):
        AutoConfig.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"AutoConfig\.register\('moor', YourConfig\)"):
        AutoConfig.for_model("moor")
