import json
import os
import sys

import numpy as np
import pytest

from minitransformers import hub
from minitransformers.checkpoints import open_checkpoint, save_sharded, write_safetensors
from minitransformers.checkpoints.saving import _parse_size

TENSORS = {f"layer.{n}": np.full((5, 10), n, np.float32) for n in range(5)}  # 200 bytes each


def load(folder, **options):
    opened = open_checkpoint(hub.resolve(folder), **options)
    return {name: tensor.numpy() for name, tensor in opened.items()}


def assert_same(loaded, expected=TENSORS):
    assert loaded.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize(("limit", "shards"), [("5GB", 1), (1000, 1), (999, 2), (400, 3), (1, 5)])
def test_shards_hold_what_was_saved(tmp_path, limit, shards):
    paths = save_sharded(tmp_path, TENSORS, limit)
    assert len([path for path in paths if path.endswith(".safetensors")]) == shards
    assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, paths))
    assert_same(load(tmp_path))


def test_the_index_is_written_as_the_reference_writes_it(tmp_path):
    save_sharded(tmp_path, TENSORS, 600)
    first, second = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
    index = {
        "metadata": {"total_size": 1000},
        "weight_map": {name: first if name < "layer.3" else second for name in TENSORS},
    }
    text = (tmp_path / "model.safetensors.index.json").read_text()
    assert text == json.dumps(index, indent=2, sort_keys=True) + "\n"


def test_saving_again_removes_what_would_be_loaded_instead(tmp_path):
    (tmp_path / "adapter_model.safetensors").touch()
    for limit in (1, 400, "5GB", 400):
        paths = save_sharded(tmp_path, TENSORS, limit)
        left = {*map(os.path.basename, paths), "adapter_model.safetensors"}
        assert set(os.listdir(tmp_path)) == left
        assert_same(load(tmp_path))


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (7, 7),
        ("7", 7),
        ("2KB", 2000),
        ("0.5KB", 500),
        ("2 kb", 2000),
        ("1GiB", 2**30),
        ("5GB", 5 * 10**9),
    ],
)
def test_sizes(size, count):
    assert _parse_size(size) == count


@pytest.mark.parametrize("size", ["", "0", "0.0004KB", "-1GB", "5 apples", "GB", 0])
def test_malformed_sizes(size):
    with pytest.raises(ValueError, match="max_shard_size"):
        _parse_size(size)


def test_a_variant_has_files_of_its_own(tmp_path):
    save_sharded(tmp_path, {"w": np.zeros(1)})
    write_safetensors(tmp_path / "model.fp16.safetensors", {"w": np.ones(1)})
    assert load(tmp_path)["w"] == 0
    assert load(tmp_path, variant="fp16")["w"] == 1
    (tmp_path / "model.fp16.safetensors").rename(tmp_path / "model.fp16-00001-of-00001.safetensors")
    index = {"weight_map": {"w": "model.fp16-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.fp16.json").write_text(json.dumps(index))
    assert load(tmp_path, variant="fp16")["w"] == 1
    with pytest.raises(OSError, match=r"model\.bf16\.safetensors.*give variant='fp16'"):
        load(tmp_path, variant="bf16")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("pytorch_model-00001-of-00002.bin", "a shard whose index is missing"),
        ("pytorch_model.fp16.bin", "give variant='fp16'"),
        ("tf_model.h5", "TensorFlow weights.*from_tf=True"),
        ("flax_model.msgpack", "Flax weights.*from_flax=True"),
        ("tiny.Q4_0.gguf", "GGUF weights.*gguf_file"),
        ("adapter_model.safetensors", "PEFT adapter"),
    ],
)
def test_weights_of_another_kind_are_named_with_a_remedy(tmp_path, name, advice):
    (tmp_path / name).touch()
    (tmp_path / "config.json").touch()
    looked_for = r"model\.safetensors, model\.safetensors\.index\.json, pytorch_model\.bin, .*"
    with pytest.raises(OSError, match=rf"looked for {looked_for}; found {name}[:,] .*{advice}"):
        load(tmp_path)


def test_a_folder_without_weights_tells_what_it_holds(tmp_path):
    with pytest.raises(OSError, match="the files there are: none"):
        load(tmp_path)
    (tmp_path / "config.json").touch()
    with pytest.raises(OSError, match=r"the files there are: config\.json"):
        load(tmp_path)


def test_a_plain_function_resolves_too(tmp_path):
    with pytest.raises(OSError, match="the checkpoint holds no weights"):
        open_checkpoint(lambda filename, required=True: None)


def test_a_missing_shard_is_named(tmp_path):
    save_sharded(tmp_path, TENSORS, 400)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(OSError, match=r"index\.json names the shard model-00002-of-00003.*missing"):
        load(tmp_path)


def test_a_tensor_must_be_in_the_shard_the_index_says(tmp_path):
    save_sharded(tmp_path, TENSORS, 400)
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(path.read_text().replace("layer.4", "layer.5"))
    with pytest.raises(ValueError, match=r"'layer\.5' is not in the shard model-00003-of-00003"):
        load(tmp_path)


@pytest.mark.parametrize(
    "shard",
    ["../a.safetensors", "/etc/passwd", "a/b.safetensors", "..", "..\\a", "C:a", "", "a\0b", 3],
)
def test_a_shard_outside_the_checkpoint_is_refused(tmp_path, shard):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(ValueError, match=r"index\.json: tensor 'w' names the shard"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": []}', "[" * 100_000, "\xff"])
def test_a_malformed_index_is_named(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"index\.json: not an index of shards"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("terminal", "disabled", "bar"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_the_bar_is_for_terminals_and_obeys_the_variable(
    tmp_path, monkeypatch, capsys, terminal, disabled, bar
):
    save_sharded(tmp_path, TENSORS, 400)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", disabled)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert_same(load(tmp_path))
    assert ("Loading checkpoint shards" in capsys.readouterr().err) is bar


@pytest.mark.oracle
def test_the_reference_loads_our_shards(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=11, n_positions=8)
    model = transformers.GPT2LMHeadModel(config)
    weights = {name: value.numpy() for name, value in model.transformer.state_dict().items()}
    config.save_pretrained(tmp_path)
    assert len(save_sharded(tmp_path, weights, 1000)) > 2
    again = transformers.GPT2LMHeadModel.from_pretrained(tmp_path)
    for name, value in again.transformer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), weights[name])
