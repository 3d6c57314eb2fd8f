"""Weights that other tools quantised are read as the values those tools give them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minitransformers
from minitransformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    GPT2Config,
    GPT2LMHeadModel,
)
from minitransformers.checkpoints import StoredTensor, read_safetensors, write_safetensors
from minitransformers.cli import main
from minitransformers.core.codes import Codes, Reordered
from minitransformers.core.packed import Float16, Int4, Int8, Packed
from minitransformers.models.prequantised import unpacked

GOLDEN = Path(__file__).parent / "golden" / "prequantised.npz"
IDS = np.array([[5, 3, 8, 1, 9, 2], [4, 4, 7, 6, 0, 1]])


def cases():
    with np.load(GOLDEN) as file:
        return sorted({name.partition("/")[0] for name in file.files})


def case(name):
    """-> (quantization_config, {"layer.part": tensor}, the weights (out, in))"""
    how, tensors, expected = None, {}, None
    with np.load(GOLDEN) as file:
        for key in file.files:
            if key.partition("/")[0] != name:
                continue
            part, x = key.partition("/")[2], file[key]
            if part == "original":
                continue
            if part == "how":
                how = json.loads(x.tobytes())
            elif part == "expected":
                expected = x
            elif ":" in part:
                part, _, dtype = part.partition(":")
                tensors[f"layer.{part}"] = StoredTensor(part, dtype, x.shape, x)
            else:
                tensors[f"layer.{part}"] = x
    return how, tensors, expected


@pytest.mark.parametrize("name", cases())
def test_the_weights_are_the_tools(name):
    how, tensors, expected = case(name)
    read = unpacked(tensors, how, (), "file")
    assert list(read) == ["layer.weight"]
    weight = read["layer.weight"]
    # what has no small form is kept in 16 bits, or where the tool's blocks cross rows, expanded
    eps = 2.0**-10 if isinstance(weight, Float16) else 1e-6
    np.testing.assert_allclose(np.asarray(weight), expected, rtol=eps, atol=eps * 0.1)
    turned = unpacked(tensors, how, {"layer"}, "file")["layer.weight"]
    assert turned.shape == expected.shape[::-1]
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(weight).T)


@pytest.mark.parametrize("rows", [1, 2, 9])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gptq-4-16-asym", Int4),
        ("gptq-8-16-sym", Codes),
        ("gptq-8--1-sym", Int8),
        ("gptq-4-16-sym-ordered", Reordered),
        ("gptq-4-16-asym-ordered", Reordered),
        ("gptq-8-16-sym-ordered", Reordered),
        ("gptq-8-16-asym-ordered", Float16),
        ("awq-16", Int4),
        ("bnb-nf4-64", Codes),
        ("bnb-fp4-double-96", Codes),
        ("bnb-int8", Int8),
        ("packed-4-16-sym", Int4),
        ("int8-channel", Int8),
        ("int8-group", Codes),
        ("e4m3fn-channel", Codes),
        ("e5m2-blocks-16", Codes),
    ],
)
def test_small_forms_and_their_products(name, kind, rows, rng):
    how, tensors, expected = case(name)
    weight = unpacked(tensors, how, (), "file")["layer.weight"]
    assert type(weight) is kind
    x = rng.standard_normal((rows, expected.shape[1])).astype(np.float32)
    y = rng.standard_normal((rows, expected.shape[0])).astype(np.float32)
    scale = np.abs(expected).max()
    for whole in (False, True):  # small matrices are kept expanded; here also as large ones are not
        onto, along = weight.product(x, turned=True), weight.product(y)
        if whole:
            onto, along = weight._onto_rows(x), weight._along_rows(y)
        np.testing.assert_allclose(onto, x @ expected.T, atol=scale * 0.02)
        np.testing.assert_allclose(along, y @ expected, atol=scale * 0.02)
    picked = weight[np.array([3, 0, 3])]
    np.testing.assert_array_equal(picked, np.asarray(weight)[[3, 0, 3]])


@pytest.mark.parametrize("width", [64, 96])
@pytest.mark.parametrize("twice", [False, True])
def test_nf4_is_bitsandbytes(twice, width):
    name = f"bnb-nf4-double-{width}" if twice else f"bnb-nf4-{width}"
    how, tensors, expected = case(name)
    with np.load(GOLDEN) as file:
        original = file[f"{name}/original"]
    made, read = Codes.nf4(original, twice), unpacked(tensors, how, (), "file")["layer.weight"]
    np.testing.assert_array_equal(made.stored, read.stored)
    # its rounding of factors on a CPU does not always find the nearest value
    np.testing.assert_allclose(made.step, read.step, rtol=1e-3 if twice else 0)
    np.testing.assert_allclose(np.asarray(made), expected, rtol=1e-3 if twice else 1e-6)


NF4 = json.loads((GOLDEN.parent / "nf4.json").read_text())


@pytest.mark.parametrize("name", NF4["sizes"])
def test_nf4_for_the_weights_the_reference_chooses(name, tmp_path):
    cls = getattr(minitransformers, name)
    cls(cls.config_class(**NF4["sizes"][name])).save_pretrained(tmp_path / "plain")
    how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = cls.from_pretrained(tmp_path / "plain", quantization_config=how)
    state = model.state_dict()
    assert sorted(n for n, x in state.items() if isinstance(x, Codes)) == NF4["converted"][name]
    assert not any(isinstance(x, (Int4, Int8)) for x in state.values())
    model.save_pretrained(tmp_path / "nf4")
    again = cls.from_pretrained(tmp_path / "nf4").state_dict()
    for n, x in state.items():
        np.testing.assert_array_equal(np.asarray(again[n]), np.asarray(x))


def _plain_gpt2(folder):
    """A small GPT-2 in a folder, and itself."""
    config = GPT2Config(vocab_size=40, n_positions=16, n_embd=64, n_layer=1, n_head=2, n_inner=32)
    model = GPT2LMHeadModel(config)
    rng = np.random.default_rng(0)
    for x in model.state_dict().values():
        x[...] = rng.standard_normal(x.shape) * 0.1
    model.save_pretrained(folder)
    return model


def _with_layer(name, base):
    """A GPT-2 one of whose layers is that of a case. -> (its folder, the same in float32)"""
    model = _plain_gpt2(base / "plain")
    how, tensors, expected = case(name)  # (32, 64): of the first product of the feed-forward layer
    model.transformer.h[0].mlp.c_fc.weight[...] = expected.T
    layer = "transformer.h.0.mlp.c_fc"
    stored = {n: x for n, x in model.state_dict().items() if n != "lm_head.weight"}
    del stored[f"{layer}.weight"]
    stored |= {n.replace("layer.", f"{layer}."): x for n, x in tensors.items()}
    folder = base / "quantised"
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", stored)
    described = json.loads((base / "plain" / "config.json").read_text())
    described["quantization_config"] = how
    (folder / "config.json").write_text(json.dumps(described))
    return folder, model


SOME = ["gptq-4-16-asym", "gptq-4-16-sym-ordered", "awq-16", "bnb-nf4-double-64", "bnb-int8"]


@pytest.mark.parametrize("name", SOME)
def test_a_model_with_such_a_layer(name, tmp_path):
    folder, model = _with_layer(name, tmp_path)
    read = AutoModelForCausalLM.from_pretrained(folder)
    assert isinstance(read.transformer.h[0].mlp.c_fc.weight, Packed)
    logits = read(IDS).logits
    np.testing.assert_allclose(logits, model(IDS).logits, atol=1e-4)
    read.save_pretrained(tmp_path / "again")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(again(IDS).logits, logits)


@pytest.mark.parametrize("name", SOME)
def test_broken_copies_of_such_a_model(name, tmp_path):
    folder, _ = _with_layer(name, tmp_path)
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path / "again")
    file = tmp_path / "again" / "model.safetensors"
    whole = {n: t.numpy().copy() for n, t in read_safetensors(file).items()}
    for change in (None, lambda x: x[:-1], lambda x: x.astype(np.bool_), lambda x: x[..., None]):
        for name in [n for n in whole if "c_fc.weight" in n]:
            if name.endswith("_order") and change is None:
                continue  # the order was left out: nobody can tell
            changed = {n: x for n, x in whole.items() if n != name}
            if change is not None:
                changed[name] = change(whole[name])
            write_safetensors(file, changed)
            with pytest.raises((ValueError, RuntimeError), match=r"c_fc\.weight"):
                AutoModelForCausalLM.from_pretrained(tmp_path / "again")


def test_formats_without_their_tensors_are_refused():
    how = {"quant_method": "gptq", "checkpoint_format": "marlin"}
    with pytest.raises(ValueError, match=r"no tensor named \.\.\.\.qweight.*'marlin'"):
        unpacked({"layer.B": np.zeros(3)}, how, (), "some/model")


def test_four_bits_stored_as_another_type():
    """bnb_4bit_quant_storage, for sharding while training."""
    how, tensors, expected = case("bnb-nf4-64")
    words = tensors["layer.weight"].reshape(-1).view(np.uint16).reshape(-1, 1)
    tensors["layer.weight"] = StoredTensor("layer.weight", "BF16", words.shape, words)
    read = unpacked(tensors, how, (), "file")["layer.weight"]
    np.testing.assert_allclose(np.asarray(read), expected, rtol=1e-6)


def test_other_methods_are_named():
    with pytest.raises(ValueError, match=r"quantised by 'aqlm'.*gptq, awq, bitsandbytes"):
        unpacked({}, {"quant_method": "aqlm"}, (), "some/model")


@pytest.mark.parametrize("name", cases())
def test_tensors_that_do_not_fit_are_one_clear_error(name, rng):
    how, tensors, _ = case(name)
    parts = list(tensors)
    for i in range(40):
        part = parts[i % len(parts)]
        x = tensors[part]
        data = x.data if isinstance(x, StoredTensor) else x
        change = rng.integers(6)
        if change == 0 and data.ndim:
            data = data[:-1]
        elif change == 1:
            data = data.astype(rng.choice(["f4", "i1", "i8", "u1"]))
        elif change == 2:
            data = data.reshape(-1)
        elif change == 3:
            data = np.zeros((0,) * data.ndim, data.dtype)
        elif change == 4:
            data = data[None]
        else:
            raw = bytearray(data.tobytes())
            raw[rng.integers(len(raw))] = rng.integers(256)
            data = np.frombuffer(bytes(raw), data.dtype).reshape(data.shape)
        broken = dict(tensors)
        if rng.integers(8) == 0:
            del broken[part]
        elif isinstance(x, StoredTensor):
            broken[part] = StoredTensor(x.name, x.dtype, data.shape, data.astype(np.uint8))
        else:
            broken[part] = data
        told = None
        try:
            with np.errstate(all="ignore"):
                read = unpacked(broken, how, (), "file")
                for weight in read.values():
                    np.asarray(weight if isinstance(weight, (np.ndarray, Packed)) else weight.data)
        except ValueError as error:
            told = str(error)
        assert told is None or told.startswith("file")


@pytest.mark.parametrize("name", SOME)
def test_plain_weights_can_be_made_of_them(name, tmp_path):
    folder, _ = _with_layer(name, tmp_path)
    read = AutoModelForCausalLM.from_pretrained(folder)
    logits = read(IDS).logits
    read.dequantize()
    assert not any(isinstance(x, Packed) for x in read.state_dict().values())
    assert getattr(read.config, "quantization_config", None) is None
    np.testing.assert_allclose(read(IDS).logits, logits, atol=1e-5)
    assert main(["convert", str(folder), str(tmp_path / "out"), "--dtype", "float32"]) == 0
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert isinstance(again.transformer.h[0].mlp.c_fc.weight, np.ndarray)
    np.testing.assert_array_equal(again(IDS).logits, read(IDS).logits)
