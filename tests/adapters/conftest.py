"""A base model in a folder, and adapters of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from adapter_cases import adapter_array, build

import minitransformers as mt


@pytest.fixture
def base(tmp_path: Path) -> str:
    """The folder of a BERT without a head."""
    build("bert", "BertModel").save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


@pytest.fixture
def make_adapter(base: str, tmp_path: Path) -> Any:
    """make_adapter(name, seed, ...) writes an adapter of a classifier. -> its folder"""

    def make(name: str = "adapter", seed: int = 1, **keywords: Any) -> str:
        plain = build("bert", "BertForSequenceClassification")
        plain.config.name_or_path = base
        config = mt.LoraConfig(**{"task_type": "SEQ_CLS", "r": 2} | keywords)
        model = mt.get_peft_model(plain, config)
        state = mt.get_peft_model_state_dict(plain)
        arrays = {k: adapter_array(k, v.shape, seed) for k, v in state.items()}
        mt.set_peft_model_state_dict(plain, arrays)
        model.save_pretrained(tmp_path / name)
        return str(tmp_path / name)

    return make
