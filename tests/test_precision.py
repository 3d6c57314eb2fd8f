"""Weights in fewer bits: kept as stored, rounded, quantised while loading, saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import CONFIGS, fill

from minitransformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BitsAndBytesConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)
from minitransformers.checkpoints import StoredTensor, read_safetensors, write_safetensors
from minitransformers.core.packed import BFloat16, Float16, Int4, Int8, Packed
from minitransformers.training.optim import AdamW

IDS = np.array([[5, 3, 8, 1, 9, 2], [4, 4, 7, 6, 0, 1]])
SIZES = {
    "gpt2": (
        GPT2LMHeadModel,
        GPT2Config(vocab_size=40, n_positions=32, n_embd=64, n_layer=2, n_head=2),
    ),
    "llama": (
        LlamaForCausalLM,
        LlamaConfig(
            vocab_size=40, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2,
        ),
    ),
    "bert": (
        BertForSequenceClassification,
        BertConfig(
            vocab_size=40, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=96, max_position_embeddings=32,
        ),
    ),
}  # fmt: skip


@pytest.fixture(params=SIZES)
def saved(request, tmp_path):
    """A model of float32 weights and its folder."""
    cls, config = SIZES[request.param]
    model = fill(cls(config))
    model.save_pretrained(tmp_path / "float32")
    return model, tmp_path / "float32"


def _rewrite(folder, target, dtype):
    """Copy a checkpoint with its weights in half precision. -> {name: what they are, float32}"""
    target.mkdir()
    for name in ("config.json", "generation_config.json"):
        if (folder / name).exists():
            (target / name).write_bytes((folder / name).read_bytes())
    tensors, values = {}, {}
    for name, stored in read_safetensors(folder / "model.safetensors").items():
        x = stored.numpy()
        if dtype == "BF16":
            bits = (x.view(np.uint32) >> 16).astype(np.uint16)
            tensors[name] = StoredTensor(name, "BF16", x.shape, bits)
            values[name] = (bits.astype(np.uint32) << 16).view(np.float32)
        else:
            tensors[name] = x.astype(np.float16)
            values[name] = tensors[name].astype(np.float32)
    write_safetensors(target / "model.safetensors", tensors)
    return values


@pytest.mark.parametrize(("dtype", "kind"), [("BF16", BFloat16), ("F16", Float16)])
def test_half_precision_stays_as_it_is_stored(saved, tmp_path, dtype, kind):
    model, folder = saved
    values = _rewrite(folder, tmp_path / "half", dtype)
    half = type(model).from_pretrained(tmp_path / "half")
    kept = half.state_dict()
    assert {type(x) for x in kept.values()} == {np.ndarray, kind}
    assert not any(x.flags.owndata for x in kept.values() if isinstance(x, Packed))
    for name, value in values.items():
        np.testing.assert_array_equal(np.asarray(kept[name]), value)
    whole = type(model).from_pretrained(tmp_path / "half", dtype="float32")
    assert not any(isinstance(x, Packed) for x in whole.state_dict().values())
    np.testing.assert_allclose(half(IDS).logits, whole(IDS).logits, atol=2e-5)
    half.save_pretrained(tmp_path / "again")
    first, second = (
        read_safetensors(tmp_path / n / "model.safetensors") for n in ("half", "again")
    )
    for name, tensor in second.items():
        if isinstance(kept[name], Packed):
            assert tensor.dtype == dtype
            np.testing.assert_array_equal(tensor.data, first[name].data)
    assert half.num_parameters() == whole.num_parameters()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_float32_can_be_rounded(saved, dtype):
    model, folder = saved
    half = type(model).from_pretrained(folder, torch_dtype=dtype)
    assert half.config.torch_dtype == dtype
    eps = 2.0**-11 if dtype == "float16" else 2.0**-8
    for name, x in half.state_dict().items():
        exact = np.asarray(model.state_dict()[name])
        assert (abs(np.asarray(x) - exact) <= abs(exact) * eps + 1e-7).all()


@pytest.mark.parametrize(("bits", "kinds"), [(8, {Int8}), (4, {Int8, Int4})])
def test_quantised_while_loading(saved, tmp_path, bits, kinds):
    model, folder = saved
    small = type(model).from_pretrained(folder, **{f"load_in_{bits}bit": True})
    assert {type(x) for x in small.state_dict().values()} == {np.ndarray} | kinds
    logits, exact = small(IDS).logits, model(IDS).logits
    error = np.abs(logits - exact).mean() / exact.std()
    assert 0 < error < {8: 0.1, 4: 0.5}[bits]
    assert small.get_memory_footprint() < model.get_memory_footprint() * (
        0.5 if bits == 8 else 0.45
    )

    small.save_pretrained(tmp_path / "small")
    told = json.loads((tmp_path / "small" / "config.json").read_text())["quantization_config"]
    assert told["bits"] == bits
    again = type(model).from_pretrained(tmp_path / "small")
    np.testing.assert_array_equal(again(IDS).logits, logits)
    mapped = [x for x in again.state_dict().values() if isinstance(x, Packed)]
    assert mapped
    assert not any(x.stored.flags.owndata for x in mapped)


def test_generation_and_ties(tmp_path):
    cls, config = SIZES["gpt2"]
    fill(cls(config)).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, load_in_8bit=True)
    assert model.lm_head.weight is model.transformer.wte.weight
    ids = model.generate(IDS, max_new_tokens=8, num_beams=2, do_sample=False)
    assert ids.shape == (2, 14)


def test_modules_can_be_skipped(tmp_path):
    cls, config = SIZES["bert"]
    fill(cls(config)).save_pretrained(tmp_path)
    how = BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=["classifier", "layer.1"])
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path, quantization_config=how)
    assert isinstance(model.classifier.weight, np.ndarray)
    first, second = model.bert.encoder.layer
    assert isinstance(second.attention.self.query.weight, np.ndarray)
    assert isinstance(first.attention.self.query.weight, Int4)
    model.save_pretrained(tmp_path / "small")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small")
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"load_in_8bit": True, "load_in_4bit": True}, "choose one"),
        ({"load_in_8bit": True, "quantization_config": {"load_in_8bit": True}}, "either"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"dtype": "float64"}, "float64"),
    ],
)
def test_what_is_not_supported(tmp_path, options, message):
    cls, config = SIZES["gpt2"]
    fill(cls(config)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        cls.from_pretrained(tmp_path, **options)


def test_foreign_quantised_checkpoints_are_refused(tmp_path):
    cls, config = SIZES["gpt2"]
    fill(cls(config)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": {
        "quant_method": "hqq", "bits": 4}}))  # fmt: skip
    with pytest.raises(ValueError, match="'hqq'.*load_in_8bit"):
        cls.from_pretrained(tmp_path)


def test_broken_quantised_checkpoints(tmp_path):
    cls, config = SIZES["gpt2"]
    fill(cls(config)).save_pretrained(tmp_path / "a")
    cls.from_pretrained(tmp_path / "a", load_in_4bit=True).save_pretrained(tmp_path / "b")
    file = tmp_path / "b" / "model.safetensors"
    whole = {n: t.numpy().copy() for n, t in read_safetensors(file).items()}
    for change in (lambda x: None, lambda x: x[:1], lambda x: x.astype(np.int64)):
        for suffix in ("_columns_step", "_columns_least", "weight"):
            name = next(n for n in whole if n.endswith(suffix) and ".mlp." in n)
            changed = {n: x for n, x in whole.items() if n != name}
            if (x := change(whole[name])) is not None:
                changed[name] = x
            write_safetensors(file, changed)
            with pytest.raises((ValueError, RuntimeError), match="mlp"):
                cls.from_pretrained(tmp_path / "b")


def test_half_precision_can_be_trained_and_integers_cannot(tmp_path):
    cls, config = SIZES["bert"]
    fill(cls(config)).save_pretrained(tmp_path)
    labels = np.array([0, 1])
    model = cls.from_pretrained(tmp_path, dtype="bfloat16").train()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    before = {name: np.array(x) for name, x in model.state_dict().items()}
    model(IDS, labels=labels).loss.backward()
    optimizer.step()
    after = model.state_dict()
    moved = {n for n, x in before.items() if not np.array_equal(x, np.asarray(after[n]))}
    assert {n for n in before if "query" in n or "word_embeddings" in n} <= moved
    assert all(isinstance(after[n], np.ndarray) for n in moved)

    small = cls.from_pretrained(tmp_path, load_in_8bit=True).train()
    assert {p.requires_grad for n, p in small.named_parameters() if "query.weight" in n} == {False}
    small(IDS, labels=labels).loss.backward()
    assert small.bert.encoder.layer[0].attention.self.query.bias is not None
    gradients = {n for n, p in small.named_parameters() if p.grad is not None}
    assert any("query.bias" in n for n in gradients)
    assert not any("query.weight" in n for n in gradients)


def test_files_of_expanded_weights_do_not_claim_to_be_quantised(tmp_path: Path) -> None:
    fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"]))).save_pretrained(tmp_path / "whole")
    model = GPT2LMHeadModel.from_pretrained(tmp_path / "whole", load_in_8bit=True)
    says = lambda folder: json.loads((tmp_path / folder / "config.json").read_text())
    model.save_pretrained(tmp_path / "torch", safe_serialization=False)
    assert "quantization_config" not in says("torch")  # the reference would refuse it
    expanded = {name: np.array(x) for name, x in model.state_dict().items()}
    model.save_pretrained(tmp_path / "given", state_dict=expanded)
    assert "quantization_config" not in says("given")
    model.save_pretrained(tmp_path / "small")
    assert says("small")["quantization_config"]["bits"] == 8
    ids = np.array([[5, 6, 7]])
    for folder in ("torch", "given", "small"):
        again = GPT2LMHeadModel.from_pretrained(tmp_path / folder)
        np.testing.assert_allclose(again(ids).logits, model(ids).logits, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"dtype": "bfloat16"}, {"load_in_8bit": True}])
def test_names_of_one_tensor_take_its_memory_once(tmp_path: Path, how: dict) -> None:
    model = fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"] | {"n_layer": 3})))
    weights = {name: np.asarray(x, np.float64) for name, x in model.state_dict().items()}
    for name in weights:  # float64 is converted, and a file of torch may have it under any name
        weights[name] = weights[name.replace("h.1.", "h.0.").replace("h.2.", "h.0.")]
    model.save_pretrained(tmp_path, state_dict=weights, safe_serialization=False)
    again = GPT2LMHeadModel.from_pretrained(tmp_path, **how)
    first, second = (again.transformer.h[i].attn.c_attn.weight for i in (0, 1))
    assert first is not second
    raw = [getattr(x, "stored", x) for x in (first, second)]
    assert np.shares_memory(*raw)
    if not how:  # and yet each is trained for itself
        optimizer = AdamW(again.train().parameters(), lr=0.1)
        again(IDS % 37, labels=IDS % 37).loss.backward()
        optimizer.step()
        first, second = (again.transformer.h[i].attn.c_attn.weight for i in (0, 1))
        assert not np.array_equal(first, second)
