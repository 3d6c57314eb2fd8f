"""`minitransformers convert` and `info`: every format to safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from minitransformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2DoubleHeadsModel,
    GPT2LMHeadModel,
    LoraConfig,
    checkpoints,
    get_peft_model,
    hub,
)
from minitransformers.__main__ import main
from minitransformers.checkpoints import SafetensorsFile


def convert(capsys: Any, *arguments: Any) -> dict[str, Any]:
    """Run the command. -> what it says as JSON"""
    assert main(["convert", *map(str, arguments), "--json", "--debug"]) == 0
    return json.loads(capsys.readouterr().out)


def weights(path: Path) -> dict[str, np.ndarray]:
    return {
        n: np.asarray(x) for n, x in AutoModelForCausalLM.from_pretrained(path).state_dict().items()
    }


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], atol: float = 0) -> None:
    assert one.keys() == other.keys()
    for name, x in one.items():
        np.testing.assert_allclose(x, other[name], rtol=0, atol=atol)


@pytest.fixture
def gpt2() -> GPT2LMHeadModel:
    return tiny.fill(GPT2LMHeadModel(GPT2Config(**tiny.CONFIGS["gpt2"])))


def test_gguf(capsys: Any, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="writes the file")
    from gguf_files import write_model

    source = write_model(tmp_path / "model.gguf", "qwen2", "Q5_1")
    told = convert(capsys, source, tmp_path / "out", "--max-shard-size", "20KB")
    assert told["class"] == "Qwen2ForCausalLM"
    assert told["notes"] == []
    assert len(told["files"]) > 1
    assert_same(weights(tmp_path / "out"), weights(source))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(source).chat_template
    named = convert(capsys, tmp_path, tmp_path / "named", "--gguf-file", "model.gguf")
    assert named["parameters"] == told["parameters"]

    assert main(["info", str(source), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dtypes"] == ["F32", "Q5_1"]
    assert facts["parameters"] == told["parameters"]


def test_gguf_without_a_pooler(capsys: Any, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="writes the file")
    from gguf_files import write_model

    source = write_model(tmp_path / "model.gguf", "bert")
    told = convert(capsys, source, tmp_path / "out")
    assert [note.split()[0] for note in told["notes"]] == [
        "pooler.dense.bias",
        "pooler.dense.weight",
    ]
    assert not any("pooler" in n for n in SafetensorsFile(tmp_path / "out" / "model.safetensors"))


def test_pickles(capsys: Any, tmp_path: Path, gpt2: Any) -> None:
    gpt2.save_pretrained(tmp_path / "bin", safe_serialization=False)
    told = convert(capsys, tmp_path / "bin", tmp_path / "out")
    assert told["files"] == ["model.safetensors"]
    assert told["notes"][0].startswith("no tokenizer is written")
    assert_same(weights(tmp_path / "out"), gpt2.state_dict())


@pytest.mark.parametrize(("dtype", "stored"), [("float16", "F16"), ("bfloat16", "BF16")])
def test_half_precision(capsys: Any, tmp_path: Path, gpt2: Any, dtype: str, stored: str) -> None:
    gpt2.save_pretrained(tmp_path / "in")
    convert(capsys, tmp_path / "in", tmp_path / "out", "--dtype", dtype)
    file = SafetensorsFile(tmp_path / "out" / "model.safetensors")
    assert file["transformer.wte.weight"].dtype == stored
    assert AutoConfig.from_pretrained(tmp_path / "out").torch_dtype == dtype
    assert_same(weights(tmp_path / "out"), gpt2.state_dict(), atol=0.01)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("safe", [True, False])
def test_every_tensor_stays_as_it_is_stored(
    capsys: Any, tmp_path: Path, gpt2: Any, dtype: str, safe: bool
) -> None:
    """Matrices and the vectors beside them, also where source and target are one folder."""
    gpt2.to(dtype).save_pretrained(tmp_path / "in", safe_serialization=safe)
    convert(capsys, tmp_path / "in", tmp_path / "out")
    convert(capsys, tmp_path / "in", tmp_path / "in", "--max-shard-size", "3KB")
    wanted = checkpoints.open_checkpoint(hub.resolve(tmp_path / "out"))
    stored = {"float16": "F16", "bfloat16": "BF16"}[dtype]
    assert {x.dtype for x in wanted.values()} == {stored}
    found = checkpoints.open_checkpoint(hub.resolve(tmp_path / "in"))
    assert found.keys() == wanted.keys()
    for name, x in wanted.items():
        assert found[name].dtype == stored
        assert found[name].shape == x.shape
        assert found[name].data.tobytes() == x.data.tobytes()
    assert_same(weights(tmp_path / "out"), gpt2.state_dict())


def test_a_vector_that_half_precision_would_round_is_not(tmp_path: Path, gpt2: Any) -> None:
    gpt2.half()
    gpt2.transformer.ln_f.bias = np.full(12, 0.1, np.float32)
    gpt2.save_pretrained(tmp_path)
    file = SafetensorsFile(tmp_path / "model.safetensors")
    assert file["transformer.ln_f.bias"].dtype == "F32"
    assert file["transformer.ln_f.weight"].dtype == "F16"
    assert AutoConfig.from_pretrained(tmp_path).torch_dtype == "float16"


def test_the_class_is_the_one_that_the_source_names(capsys: Any, tmp_path: Path) -> None:
    """One that no auto class makes, too; a name of something else counts for nothing."""
    model = tiny.fill(GPT2DoubleHeadsModel(GPT2Config(**tiny.CONFIGS["gpt2"])))
    model.save_pretrained(tmp_path / "in")
    assert convert(capsys, tmp_path / "in", tmp_path / "out")["class"] == "GPT2DoubleHeadsModel"
    assert_same(weights(tmp_path / "out"), weights(tmp_path / "in"))
    path = tmp_path / "in" / "config.json"
    for other in ("BertModel", "AutoConfig", "os", 3):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": [other]}))
        told = convert(capsys, tmp_path / "in", tmp_path / "out")
        assert told["class"] == "GPT2LMHeadModel"
        assert "multiple_choice_head.summary.bias has no place in GPT2LMHeadModel" in str(told)


def test_quantised(capsys: Any, tmp_path: Path, gpt2: Any) -> None:
    gpt2.save_pretrained(tmp_path / "in")
    small = convert(capsys, tmp_path / "in", tmp_path / "out", "--quantize", "8bit")
    whole = convert(capsys, tmp_path / "in", tmp_path / "plain")
    assert small["file_bytes"] < whole["file_bytes"]
    ids = np.array([[1, 2, 3]])
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out")(ids).logits
    np.testing.assert_allclose(found, gpt2(ids).logits, atol=0.05)


def test_an_adapter_is_merged(capsys: Any, tmp_path: Path, gpt2: Any) -> None:
    gpt2.save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    settings = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], init_lora_weights=False)
    adapted = get_peft_model(base, settings)
    adapted.save_pretrained(tmp_path / "adapter")
    convert(capsys, tmp_path / "adapter", tmp_path / "out")
    ids = np.array([[1, 2, 3]])
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out")(ids).logits
    np.testing.assert_allclose(found, adapted(ids).logits, atol=1e-5)
    assert np.abs(found - gpt2(ids).logits).max() > 1e-3


def test_errors(capsys: Any, tmp_path: Path, gpt2: Any) -> None:
    gpt2.save_pretrained(tmp_path / "in")
    (tmp_path / "file").write_text("")
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "file")]) == 1
    assert "is a file" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    assert "none" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    get_peft_model(gpt2, LoraConfig(target_modules=["c_attn"])).save_pretrained(tmp_path / "out")
    held = sorted((tmp_path / "out").iterdir())
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert "holds an adapter" in capsys.readouterr().err
    assert sorted((tmp_path / "out").iterdir()) == held
