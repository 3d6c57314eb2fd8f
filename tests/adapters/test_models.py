"""Adapters in models: loading by name, methods of models, several at once, saving."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from adapter_cases import adapter_array, build

import minitransformers as mt
from minitransformers.training.optim import AdamW

IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2]])


def logits(model: Any, **kwargs: Any) -> np.ndarray:
    return model(IDS, **kwargs).logits


def classifier(base: str) -> Any:
    mt.set_seed(0)
    return mt.AutoModelForSequenceClassification.from_pretrained(base)


def test_from_pretrained_follows_an_adapter_to_its_base(base, make_adapter, caplog, monkeypatch):
    folder = make_adapter()
    wanted = logits(mt.PeftModel.from_pretrained(classifier(base), folder))
    caplog.clear()
    monkeypatch.setattr(mt.logging.get_logger("minitransformers"), "propagate", True)
    for load in (
        mt.AutoModelForSequenceClassification.from_pretrained,
        mt.BertForSequenceClassification.from_pretrained,
        mt.AutoPeftModelForSequenceClassification.from_pretrained,
    ):
        model = load(folder)
        np.testing.assert_allclose(logits(model), wanted, atol=1e-6)
        assert not model.training
    assert not caplog.records  # the classifier is the adapter's, so nothing is missing
    model, report = mt.AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True
    )
    assert report["missing_keys"] == []
    assert model.active_adapters() == ["default"]
    assert model.config.name_or_path == base
    model = mt.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, dtype="auto"
    )
    np.testing.assert_allclose(logits(model), wanted, atol=1e-6)


def test_an_adapter_for_another_task_or_class(base, make_adapter):
    folder = make_adapter()
    with pytest.raises(ValueError, match="AutoPeftModelForSequenceClassification"):
        mt.AutoPeftModelForCausalLM.from_pretrained(folder)
    with pytest.raises(OSError, match=r"no adapter_config\.json"):
        mt.AutoPeftModelForCausalLM.from_pretrained(base)
    plain = mt.get_peft_model(mt.BertModel.from_pretrained(base), mt.LoraConfig(r=2))
    plain.save_pretrained(folder)
    assert isinstance(mt.AutoPeftModel.from_pretrained(folder).get_base_model(), mt.BertModel)


def test_weights_stay_mapped_and_shared(base, make_adapter):
    model = mt.AutoModelForSequenceClassification.from_pretrained(make_adapter())
    layer = model.bert.encoder.layer[0].attention.self.query
    assert not layer.weight.flags.writeable
    assert not layer.lora_A["default"].weight.flags.writeable
    plain = mt.BertModel.from_pretrained(base)
    assert "encoder.layer.0.attention.self.query.weight" in plain.state_dict()
    names = set(model.bert.state_dict())
    assert set(plain.state_dict()) - {"pooler.dense.weight", "pooler.dense.bias"} <= names


def test_methods_of_models(base, make_adapter):
    first, second = make_adapter("first", 3), make_adapter("second", 4, target_modules=["dense"])
    model = classifier(base)
    plain = logits(model)
    for call in (
        "active_adapters",
        "disable_adapters",
        "enable_adapters",
        "get_adapter_state_dict",
    ):
        with pytest.raises(ValueError, match="No adapter loaded"):
            getattr(model, call)()
    model.load_adapter(first)
    one = logits(model)
    with pytest.raises(ValueError, match="already exists"):
        model.load_adapter(second)
    model.load_adapter(second, "second")
    assert model.active_adapters() == ["second"]
    two = logits(model)
    assert min(abs(a - b).max() for a, b in [(plain, one), (plain, two), (one, two)]) > 0.01
    model.set_adapter("default")
    np.testing.assert_array_equal(logits(model), one)
    model.disable_adapters()
    np.testing.assert_array_equal(logits(model), plain)
    model.enable_adapters()
    np.testing.assert_array_equal(logits(model), one)
    model.set_adapter(["default", "second"])
    assert abs(logits(model) - one).max() > 0.01
    with pytest.raises(ValueError, match="save adapters separately"):
        model.save_pretrained(base + "-saved")
    with pytest.raises(ValueError, match="third"):
        model.set_adapter("third")
    model.delete_adapter("second")
    assert model.active_adapters() == ["default"]
    np.testing.assert_array_equal(logits(model), one)
    keys = model.get_adapter_state_dict()
    assert "bert.encoder.layer.0.attention.self.query.lora_A.weight" in keys
    assert "classifier.weight" in keys
    model.delete_adapter("default")
    np.testing.assert_array_equal(logits(model), plain)
    assert type(model.classifier).__name__ == "Linear"


def test_a_model_with_an_adapter_saves_the_adapter(base, tmp_path):
    model = mt.BertModel.from_pretrained(base)
    model.add_adapter(mt.LoraConfig(r=2, init_lora_weights=False))
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    model.save_pretrained(tmp_path / "saved")
    files = sorted(p.name for p in (tmp_path / "saved").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors"]
    again = mt.AutoModel.from_pretrained(tmp_path / "saved")
    np.testing.assert_array_equal(again(IDS)[0], model(IDS)[0])
    with pytest.raises(TypeError, match="LoraConfig"):
        model.add_adapter({"r": 2}, "other")


def test_merged_models_are_plain_models(base, make_adapter, tmp_path):
    model = mt.AutoPeftModelForSequenceClassification.from_pretrained(make_adapter())
    wanted = logits(model)
    merged = model.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    again = mt.AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    np.testing.assert_allclose(logits(again), wanted, atol=2e-5)
    assert merged.peft_config == {}
    assert all(p.requires_grad for p in merged.parameters())


def test_merging_an_adapted_table_unties_it(tmp_path):
    model = build("gpt2", "GPT2LMHeadModel")
    config = mt.LoraConfig(target_modules=["wte"], r=2, init_lora_weights=False)
    adapted = mt.get_peft_model(model, config)
    mt.set_peft_model_state_dict(
        model,
        {
            k: adapter_array(k, v.shape)
            for k, v in mt.get_peft_model_state_dict(model).items()
        },
    )  # fmt: skip
    wanted = logits(adapted)
    merged = adapted.merge_and_unload()
    assert not merged.config.tie_word_embeddings
    merged.save_pretrained(tmp_path)
    again = mt.AutoModelForCausalLM.from_pretrained(tmp_path)
    np.testing.assert_allclose(logits(again), wanted, atol=2e-5)


def test_a_failed_load_leaves_the_model_as_it_was(base, make_adapter):
    other = build("bert", "BertForSequenceClassification", hidden_size=24)
    before = {name: id(x) for name, x in other.state_dict().items()}
    with pytest.raises(RuntimeError, match=r"(?s)size mismatch for bert.*this base model"):
        mt.PeftModel.from_pretrained(other, make_adapter())
    assert {name: id(x) for name, x in other.state_dict().items()} == before
    assert other.peft_config == {}
    with pytest.raises(ValueError, match=r"not found in the base model.*c_attn"):
        mt.PeftModel.from_pretrained(build("gpt2", "GPT2LMHeadModel"), make_adapter())


def test_a_part_of_an_adapter(base, make_adapter, tmp_path):
    folder = Path(make_adapter())
    weights = mt.load_peft_weights(folder)
    arrays = {k: v.numpy() for k, v in weights.items()}
    model = classifier(base)
    config = mt.PeftConfig.from_pretrained(folder)
    some = {k: v for k, v in arrays.items() if ".layer.1." not in k}
    model.load_adapter(peft_config=config, adapter_state_dict=some)
    layers = model.bert.encoder.layer
    assert type(layers[1].attention.self.query.base_layer).__name__ == "Linear"
    assert layers[1].attention.self.query.lora_A.keys() == []
    assert layers[0].attention.self.query.lora_A.keys() == ["default"]
    model = classifier(base)
    half = {
        k: v for k, v in arrays.items() if not k.endswith("0.attention.self.query.lora_B.weight")
    }
    with pytest.raises(ValueError, match=r"incomplete.*lora_B"):
        model.load_adapter(peft_config=config, adapter_state_dict=half)
    with pytest.raises(ValueError, match="nothing that fits"):
        model.load_adapter(peft_config=config, adapter_state_dict={"x": np.zeros(2)})


def test_adapters_by_row(base, make_adapter):
    first, second = make_adapter("first", 3), make_adapter("second", 4)
    model = mt.PeftModel.from_pretrained(classifier(base), first, "first")
    model.load_adapter(second, "second")
    each = {}
    for name in ("first", "second"):
        model.set_adapter(name)
        each[name] = logits(model)
    with model.disable_adapter():
        each["__base__"] = logits(model)
    for names in (["first", "second"], ["__base__", "first"], ["second", "second"]):
        rows = logits(model, adapter_names=names)
        for i, name in enumerate(names):
            np.testing.assert_allclose(rows[i], each[name][i], atol=1e-5)
    with pytest.raises(ValueError, match="third"):
        logits(model, adapter_names=["first", "third"])
    with pytest.raises(ValueError, match="3 names for 2 rows"):
        logits(model, adapter_names=["first"] * 3)
    model.merge_adapter()
    with pytest.raises(ValueError, match="unmerge_adapter"):
        logits(model, adapter_names=["first", "first"])
    model.unmerge_adapter()
    model.train()
    with pytest.raises(ValueError, match="training mode"):
        logits(model, adapter_names=["first", "first"])


def test_generating_with_adapters_by_row():
    model = mt.get_peft_model(
        build("gpt2", "GPT2LMHeadModel"), mt.LoraConfig(r=2, task_type="CAUSAL_LM"), "one"
    )
    model.add_adapter("two", mt.LoraConfig(r=2))
    base = model.get_base_model()
    for name, seed in (("one", 1), ("two", 2)):
        state = mt.get_peft_model_state_dict(base, adapter_name=name)
        arrays = {k: adapter_array(k, v.shape, seed) * 2 for k, v in state.items()}
        mt.set_peft_model_state_dict(base, arrays, name)
    options = {"max_new_tokens": 6, "num_beams": 2, "eos_token_id": None, "do_sample": False}
    alone = []
    for i, name in enumerate(("one", "two")):
        model.set_adapter(name)
        alone.append(model.generate(IDS[i : i + 1], **options)[0])
    together = model.generate(IDS, adapter_names=["one", "two"], **options)
    np.testing.assert_array_equal(together, np.stack(alone))


def test_a_folder_with_several_adapters(base, make_adapter, tmp_path):
    model = mt.PeftModel.from_pretrained(classifier(base), make_adapter("first", 3))
    model.load_adapter(make_adapter("second", 4), "second")
    model.save_pretrained(tmp_path / "both")
    assert (tmp_path / "both" / "second" / "adapter_model.safetensors").is_file()
    again = mt.PeftModel.from_pretrained(classifier(base), tmp_path / "both")
    again.load_adapter(tmp_path / "both", "second", subfolder="second")
    for name in ("default", "second"):
        model.set_adapter(name)
        again.set_adapter(name)
        np.testing.assert_array_equal(logits(again), logits(model))
    model.save_pretrained(tmp_path / "one", selected_adapters=["second"])
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["README.md", "second"]
    with pytest.raises(ValueError, match="selected_adapters"):
        model.save_pretrained(tmp_path / "one", selected_adapters=["third"])


def test_a_larger_vocabulary(tmp_path):
    build("llama", "LlamaForCausalLM").save_pretrained(tmp_path / "base")
    ids = np.array([[5, 36, 40]])
    for saved in (None, ["embed_tokens", "lm_head"]):
        model = mt.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
        model.resize_token_embeddings(41, mean_resizing=False)
        config = mt.LoraConfig(
            task_type="CAUSAL_LM", r=2, modules_to_save=saved, init_lora_weights=False
        )
        adapted = mt.get_peft_model(model, config)
        folder = tmp_path / f"adapter-{saved is None}"
        adapted.save_pretrained(folder)
        for kind in (mt.AutoPeftModelForCausalLM, mt.AutoModelForCausalLM):
            again = kind.from_pretrained(folder)
            np.testing.assert_allclose(again(ids).logits, adapted(ids).logits, atol=1e-6)
            assert again.config.vocab_size == 41
        plain = mt.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
        with pytest.raises(RuntimeError, match="vocabulary as large"):
            mt.PeftModel.from_pretrained(plain, folder)


def test_copies_and_processes(base, make_adapter):
    model = mt.AutoPeftModelForSequenceClassification.from_pretrained(make_adapter())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(logits(other), logits(model))
        assert other.active_adapters == ["default"]
    inside = model.get_base_model()
    np.testing.assert_array_equal(logits(copy.deepcopy(inside)), logits(model))


def test_an_adapter_trained_further(base, make_adapter):
    model = mt.AutoPeftModelForSequenceClassification.from_pretrained(
        make_adapter(), is_trainable=True
    )
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert any("lora_A" in n for n in trained)
    assert any("classifier.modules_to_save.default" in n for n in trained)
    assert not any("base_layer" in n or "original_module" in n for n in trained)
    model.eval()
    frozen = mt.AutoPeftModelForSequenceClassification.from_pretrained(make_adapter())
    assert not any(p.requires_grad for p in frozen.parameters())


def test_printing(capsys):
    model = mt.get_peft_model(build("gpt2", "GPT2LMHeadModel"), mt.LoraConfig(r=2))
    model.print_trainable_parameters()
    out = capsys.readouterr().out
    assert out == "trainable params: 192 || all params: 4,716 || trainable%: 4.0712\n"


def test_pipelines_with_adapters(tmp_path):
    base = tmp_path / "base"
    name = "minitransformers/tiny-gpt2"
    mt.AutoModelForCausalLM.from_pretrained(name).save_pretrained(base)
    mt.AutoTokenizer.from_pretrained(name).save_pretrained(base)
    model = mt.AutoModelForCausalLM.from_pretrained(base)
    config = mt.LoraConfig(task_type="CAUSAL_LM", r=2, init_lora_weights=False)
    adapted = mt.get_peft_model(model, config)
    adapted.save_pretrained(tmp_path / "adapter")
    pipe = mt.pipeline(model=str(tmp_path / "adapter"))
    assert pipe.task == "text-generation"
    options = {"max_new_tokens": 5, "do_sample": False}
    text = pipe("Once upon", **options)[0]["generated_text"]
    ids = pipe.tokenizer("Once upon", return_tensors="np")
    wanted = adapted.generate(**ids, **options)
    assert text == pipe.tokenizer.decode(wanted[0], skip_special_tokens=True)
    direct = mt.pipeline("text-generation", model=adapted, tokenizer=pipe.tokenizer)
    assert direct("Once upon", **options)[0]["generated_text"] == text


def test_config_files(tmp_path):
    config = mt.LoraConfig(target_modules=["b", "a"], task_type="CAUSAL_LM")
    config.save_pretrained(tmp_path)
    values = json.loads((tmp_path / "adapter_config.json").read_text())
    assert values["target_modules"] == ["a", "b"]
    assert values["task_type"] == "CAUSAL_LM"
    assert "runtime_config" not in values
    assert "target_parameters" not in values
    assert mt.LoraConfig.from_pretrained(tmp_path) == config
    assert mt.PeftConfig.from_pretrained(tmp_path, r=4).r == 4


def test_states_of_models_and_of_peft_models(base, make_adapter):
    model = mt.AutoPeftModelForSequenceClassification.from_pretrained(make_adapter())
    inside = mt.get_peft_model_state_dict(model.get_base_model())
    whole = mt.get_peft_model_state_dict(model)
    assert list(whole) == [f"base_model.model.{name}" for name in inside]
    given = mt.get_peft_model_state_dict(model, model.state_dict())
    assert all(given[name] is array for name, array in whole.items())
    wanted = logits(model)
    zeros = {name: np.zeros_like(array) for name, array in whole.items()}
    assert mt.set_peft_model_state_dict(model, zeros) == ([], [])
    assert not logits(model).any()
    mt.set_peft_model_state_dict(model, whole)
    np.testing.assert_array_equal(logits(model), wanted)


@pytest.mark.parametrize("how", [{}, {"load_in_8bit": True}, {"load_in_4bit": True}])
def test_training_beside_weights_in_few_bits(tmp_path, how):
    config = {"hidden_size": 64, "intermediate_size": 96}
    build("llama", "LlamaForCausalLM", **config).save_pretrained(tmp_path)
    model = mt.AutoModelForCausalLM.from_pretrained(tmp_path, **how)
    mt.prepare_model_for_kbit_training(model)
    mt.set_seed(0)
    adapted = mt.get_peft_model(model, mt.LoraConfig(r=4, target_modules="all-linear"))
    packed = type(adapted.get_base_model().model.layers[0].mlp.up_proj.weight)
    optimizer = AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.03)
    adapted.train()
    losses = []
    for _ in range(6):
        loss = adapted(IDS, labels=IDS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    wanted = logits(adapted.eval())
    assert type(adapted.get_base_model().model.layers[0].mlp.up_proj.weight) is packed
    np.testing.assert_allclose(logits(adapted.merge_and_unload()), wanted, atol=1e-4)


def test_a_bias_of_the_adapter_on_layers_without_one() -> None:
    model = tiny.fill(mt.LlamaForCausalLM(mt.LlamaConfig(**tiny.CONFIGS["llama"])))
    before = model(np.arange(5, 9)[None]).logits
    adapted = mt.get_peft_model(model, mt.LoraConfig(target_modules=["q_proj"], lora_bias=True))
    adapted.load_state_dict(
        {n: np.ones_like(x) for n, x in adapted.state_dict().items() if ".lora_" in n}, strict=False
    )
    assert np.abs(adapted(np.arange(5, 9)[None]).logits - before).max() > 1e-3
    with pytest.raises(ValueError, match="without a bias"):
        adapted.merge_and_unload()
