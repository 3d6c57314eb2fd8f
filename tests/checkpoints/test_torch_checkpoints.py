"""from_pretrained of pytorch_model.bin: which file is taken, shards, variants, old names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hub_server import hub_fixture  # noqa: F401  (pytest finds it here)
from tiny import CONFIGS, fill

from minitransformers import AutoModel, BertConfig, BertModel
from minitransformers.checkpoints import SAFETENSORS, TORCH, save_sharded
from minitransformers.checkpoints.torch_writer import write_torch

IDS = np.array([[5, 6, 7, 8]])


@pytest.fixture
def bert(tmp_path: Path):
    """A model, and a folder with its config.json."""
    model = fill(BertModel(BertConfig(**CONFIGS["bert"])))
    model.config.save_pretrained(tmp_path)
    return model, tmp_path


def state(model, scale: float = 1) -> dict[str, np.ndarray]:
    return {name: np.float32(scale) * x for name, x in model.state_dict().items()}


def taken(model, folder: Path | str, **options) -> float:
    """By how much the loaded weights are scaled: which of the files was taken."""
    loaded, report = AutoModel.from_pretrained(folder, output_loading_info=True, **options)
    assert not any(report.values())
    name, scaled = next(iter(loaded.state_dict().items()))
    scale = float((scaled / model.state_dict()[name]).flat[0])
    for key, array in loaded.state_dict().items():
        np.testing.assert_array_equal(array, state(model, scale)[key])
    return scale


def test_the_order_of_preference(bert):
    model, folder = bert
    save = lambda scale, layout, **how: save_sharded(
        folder, state(model, scale), layout=layout, remove_stale=False, **how
    )
    save(8, TORCH, max_shard_size="8KB")
    assert (folder / "pytorch_model.bin.index.json").exists()
    assert taken(model, folder) == 8
    save(4, TORCH)
    assert taken(model, folder) == 4
    save(2, SAFETENSORS, max_shard_size="8KB")
    assert taken(model, folder) == 2
    assert taken(model, folder, use_safetensors=False) == 4
    save(1, SAFETENSORS)
    assert taken(model, folder) == taken(model, folder, use_safetensors=True) == 1
    save(16, TORCH, variant="half")
    assert taken(model, folder, variant="half") == 16
    save(32, TORCH, variant="many", max_shard_size="8KB")
    assert (folder / "pytorch_model.bin.index.many.json").exists()
    assert taken(model, folder, variant="many") == 32
    with pytest.raises(OSError, match=r"pytorch_model\.half\.bin: leave out use_safetensors=True"):
        AutoModel.from_pretrained(folder, variant="half", use_safetensors=True)


def test_only_files_of_torch(bert):
    model, folder = bert
    write_torch(folder / "pytorch_model.bin", state(model))
    assert taken(model, folder) == taken(model, folder, use_safetensors=False) == 1
    with pytest.raises(OSError, match=r"found pytorch_model\.bin: leave out use_safetensors=True"):
        AutoModel.from_pretrained(folder, use_safetensors=True)


@pytest.mark.parametrize("name", ["consolidated.00.pth", "part.pt", "part-1.bin", "part"])
def test_an_index_may_name_any_file_of_torch(bert, name):
    model, folder = bert
    weights = state(model)
    first, *others = weights
    write_torch(folder / name, {key: weights[key] for key in others})
    write_torch(folder / "other.bin", {first: weights[first]})
    weight_map = {first: "other.bin"} | dict.fromkeys(others[1:], name)  # one is left out
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert taken(model, folder) == 1


def test_weights_stay_views_of_the_file(bert):
    model, folder = bert
    write_torch(folder / "pytorch_model.bin", state(model))
    loaded = AutoModel.from_pretrained(folder)
    weights = [getattr(owner, attribute) for _, owner, attribute in loaded.slots()]
    assert not any(x.flags.owndata or x.flags.writeable for x in weights)


def test_names_of_old_files(bert):
    model, folder = bert

    def old(name: str) -> str:
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        return "module.bert." + name.replace("LayerNorm.bias", "LayerNorm.beta")

    write_torch(folder / "pytorch_model.bin", {old(n): x for n, x in state(model).items()})
    assert taken(model, folder) == 1
    write_torch(
        folder / "pytorch_model.bin", {f"_orig_mod.{n}": x for n, x in state(model).items()}
    )
    assert taken(model, folder) == 1


def test_files_of_torch_come_from_the_hub(bert, hub):
    model, folder = bert
    save_sharded(folder, state(model), 8000, layout=TORCH)
    hub.add("org/name", {path.name: path.read_bytes() for path in folder.iterdir()})
    assert taken(model, "org/name") == 1
    hub.requests.clear()
    assert taken(model, "org/name") == 1
    assert hub.requests == []


def test_a_broken_shard_is_named(bert):
    model, folder = bert
    paths = save_sharded(folder, state(model), 8000, layout=TORCH)
    shard = Path(paths[1])
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"{shard.name}: the archive has no directory"):
        AutoModel.from_pretrained(folder)
