"""Adapters against PEFT: tests/golden/adapters.npz, made by make_adapters.py."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_cases import (
    CASES,
    COMBINATIONS,
    adapter_array,
    build,
    fields_of,
    inputs_of,
    kind_of,
    told,
)

import minitransformers as mt
from minitransformers.core.random import default_generator
from minitransformers.training.grad import value_and_grad
from minitransformers.training.optim import AdamW

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "adapters.npz")
FACTS = json.loads(GOLDEN["facts"].tobytes())
FILE = "base_model.model."


def base(name: str, fields: dict[str, Any]) -> Any:
    return build(kind_of(name), name, **fields_of(name, fields))


def fresh(case: str) -> Any:
    name, fields, keywords = CASES[case]
    model = base(name, fields)
    default_generator.manual_seed(5)
    return mt.get_peft_model(model, mt.LoraConfig(**copy.deepcopy(keywords)))


def fill_adapter(model: Any, adapter: str = "default", seed: int = 1) -> None:
    state = mt.get_peft_model_state_dict(model.get_base_model(), adapter_name=adapter)
    arrays = {k: adapter_array(k, v.shape, seed) for k, v in state.items()}
    mt.set_peft_model_state_dict(model.get_base_model(), arrays, adapter)


def close(got: Any, wanted: Any, scale: float = 1.0) -> None:
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(got, wanted, atol=1e-5 * scale * max(1.0, np.abs(wanted).max()))


def values_close(got: dict[str, Any], wanted: dict[str, float], tolerance: float = 2e-5) -> None:
    assert sorted(got) == sorted(wanted)
    for name, value in wanted.items():
        size = max(1.0, float(np.sqrt(got[name].size)))
        assert abs(told(name, got[name]) - value) < tolerance * size * max(1.0, abs(value)), name


cases = pytest.mark.parametrize("case", CASES)


@cases
def test_fresh(case: str) -> None:
    name, fields, _ = CASES[case]
    facts, model = FACTS[case], fresh(case)
    assert list(model.get_nb_trainable_parameters()) == facts["counts"]
    trained = [n.removeprefix(FILE) for n, p in model.named_parameters() if p.requires_grad]
    assert sorted(trained) == facts["trained"]
    state = mt.get_peft_model_state_dict(model.get_base_model())
    # PEFT writes biases of modules saved whole three times
    wanted = {k: v for k, v in facts["names"].items() if ".original_module." not in k}
    wanted = {k: v for k, v in wanted.items() if ".modules_to_save." not in k}
    assert {k: list(v.shape) for k, v in state.items()} == wanted
    if "pissa" not in case:  # of singular vectors the sign is free
        values_close(state, {k: facts["fresh"][k] for k in wanted})
    close(model(**inputs_of(name))[0], GOLDEN[f"{case}/fresh"])
    untouched = base(name, fields).state_dict()
    with model.disable_adapter():
        assert set(untouched) <= set(model.get_base_model().state_dict())


@cases
def test_outputs(case: str) -> None:
    name = CASES[case][0]
    model = fresh(case)
    fill_adapter(model)
    inputs = inputs_of(name)
    at = int(len(inputs) > 1)
    close(model(**inputs)[at], GOLDEN[f"{case}/out"])
    with model.disable_adapter():
        close(model(**inputs)[at], GOLDEN[f"{case}/disabled"])
    close(model(**inputs)[at], GOLDEN[f"{case}/out"])


@cases
def test_merging(case: str) -> None:
    name = CASES[case][0]
    model = fresh(case)
    fill_adapter(model)
    inputs = inputs_of(name)
    at = int(len(inputs) > 1)
    model.merge_adapter(safe_merge=True)
    close(model(**inputs)[at], GOLDEN[f"{case}/out"], 3)
    model.unmerge_adapter()
    close(model(**inputs)[at], GOLDEN[f"{case}/out"])
    merged = model.merge_and_unload()
    close(merged(**inputs)[at], GOLDEN[f"{case}/out"], 3)
    state = merged.state_dict()
    assert not any("lora" in name for name in state)
    wanted = {k: v for k, v in FACTS[case]["merged"].items() if k in state}
    if case == "embeddings, dora":  # PEFT forgets the lengths there, so that the outputs change
        del wanted["transformer.wte.weight"]
    values_close({k: v for k, v in state.items() if k in wanted}, wanted)


@cases
def test_gradients(case: str) -> None:
    if "gradients" not in FACTS[case]:
        pytest.skip("has no loss")
    model = fresh(case)
    fill_adapter(model)
    _, gradients = value_and_grad(model)(**inputs_of(CASES[case][0]))
    plain = {k.removeprefix(FILE): v for k, v in gradients.items()}
    wanted = FACTS[case]["gradients"]
    missing = set(wanted) - set(plain)
    assert all(abs(wanted[k]) < 1e-6 for k in missing), missing
    values_close(plain, {k: v for k, v in wanted.items() if k in plain}, 1e-4)


@cases
def test_files(case: str, tmp_path: Path) -> None:
    name, fields, _ = CASES[case]
    model = fresh(case)
    fill_adapter(model)
    model.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    wanted = FACTS[case]["config"]
    if wanted["auto_mapping"]:
        wanted["auto_mapping"]["parent_library"] = "transformers"
    assert written == wanted
    again = mt.PeftModel.from_pretrained(base(name, fields), tmp_path)
    assert type(again) is type(model)
    inputs = inputs_of(name)
    at = int(len(inputs) > 1)
    close(again(**inputs)[at], GOLDEN[f"{case}/out"])
    assert not again.training
    assert again.get_nb_trainable_parameters()[0] == 0
    again.save_pretrained(tmp_path / "again", safe_serialization=False)
    from_bin = mt.PeftModel.from_pretrained(base(name, fields), tmp_path / "again")
    close(from_bin(**inputs)[at], GOLDEN[f"{case}/out"])


def two_adapters() -> Any:
    default_generator.manual_seed(5)
    first = mt.LoraConfig(target_modules=["query", "value"], r=3, lora_alpha=3)
    second = mt.LoraConfig(target_modules=["query", "key"], r=3, lora_alpha=6)
    model = mt.get_peft_model(base("BertForSequenceClassification", {}), first, "first")
    model.add_adapter("second", second)
    fill_adapter(model, "first", 3)
    fill_adapter(model, "second", 4)
    return model


@pytest.mark.parametrize("how", COMBINATIONS)
def test_combinations(how: str) -> None:
    model = two_adapters()
    default_generator.manual_seed(7)
    model.add_weighted_adapter(["first", "second"], [0.7, 0.4], "both", **COMBINATIONS[how])
    assert model.active_adapters == ["first"]
    model.set_adapter("both")
    inputs = inputs_of("BertForSequenceClassification")
    clamped = how == "svd of rank 2"  # singular vectors have no sign; cut, both signs count alike
    close(model(**inputs).logits, GOLDEN[f"combination {how}"], 1000 if clamped else 3)


def test_several_at_once() -> None:
    model = two_adapters()
    inputs = inputs_of("BertForSequenceClassification")
    model.set_adapter(["first", "second"])
    close(model(**inputs).logits, GOLDEN["two at once"])
    model.set_adapter("second")
    rows = model(**inputs, adapter_names=["first", "__base__"]).logits
    close(rows, GOLDEN["by row"])


def initial(how: Any, targets: list[str]) -> dict[str, Any]:
    plain = base("BertModel", {})
    default_generator.manual_seed(11)
    config = mt.LoraConfig(target_modules=targets, init_lora_weights=how, r=4)
    model = mt.get_peft_model(plain, config)
    return mt.get_peft_model_state_dict(model.get_base_model())


@pytest.mark.parametrize("how", [True, False, "gaussian"])
def test_initial_draws(how: Any) -> None:
    state = initial(how, ["query", "word_embeddings", "dense"])
    for name, wanted in FACTS["initial"][str(how)].items():
        assert abs(told(name, state[name]) - wanted) < 1e-4 * max(1.0, abs(wanted)), name


def test_initial_factors_by_iteration() -> None:
    state = initial("pissa_niter_3", ["query"])
    for name, wanted in FACTS["initial"]["pissa_niter_3"].items():
        product = state[f"{name}.lora_B.weight"] @ state[f"{name}.lora_A.weight"]
        assert abs(told(name, product) - wanted) < 1e-4 * max(1.0, abs(wanted)), name


def test_training() -> None:
    config = mt.LoraConfig(task_type="SEQ_CLS", r=2, lora_dropout=0.3)
    name = "BertForSequenceClassification"
    plain = base(name, {})
    before = {k: v.copy() for k, v in plain.state_dict().items()}
    mt.set_seed(3)
    model = mt.get_peft_model(plain, config).train()
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(4):
        loss = model(**inputs_of(name)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, FACTS["training"]["losses"], atol=1e-4)
    state = mt.get_peft_model_state_dict(model.get_base_model())
    for key, wanted in FACTS["training"]["state"].items():
        got = told(key, state[key.removeprefix(FILE)])
        assert abs(got - wanted) < 1e-3 * max(1.0, abs(wanted)), key
    for key, value in model.unload().state_dict().items():
        if not key.startswith("classifier"):  # which was trained as a whole
            np.testing.assert_array_equal(value, before[key])
