"""GGUF files: every architecture comes back, every type as the reference expands it."""

from __future__ import annotations

import json
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="writes the files")

from gguf_files import CASES, REFERENCE_CASES, digest, model_of, quantized, write_model
from hub_server import hub_fixture  # noqa: F401  (pytest finds it here)

from minitransformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    pipeline,
)
from minitransformers.checkpoints.gguf.file import TENSOR_TYPES, GGUFFile, QuantizedTensor
from minitransformers.checkpoints.gguf.models import ARCHITECTURES

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "gguf.json").read_text())
# Fields that say something of the file itself, or that no GGUF file holds.
UNKNOWN = {"architectures", "_name_or_path", "torch_dtype"}


def same(value: Any) -> Any:
    """Numbers within float32, in which a file holds them."""
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def load(path: Path, like: Any) -> Any:
    return type(like).from_pretrained(path)


@pytest.mark.parametrize("case", CASES)
def test_an_architecture_comes_back(case: str, tmp_path: Path) -> None:
    wanted = model_of(case)
    path = write_model(tmp_path / "model.gguf", case)
    found, report = type(wanted).from_pretrained(path, output_loading_info=True)

    assert report["unexpected_keys"] == report["mismatched_keys"] == []
    assert [n for n in report["missing_keys"] if "pooler." not in n] == []
    weights = found.state_dict()
    for name, x in wanted.state_dict().items():
        if "pooler." not in name:
            start = 2 if case == "roberta" and "position_embeddings" in name else 0
            # 1 + weight was rounded when the file was made
            tolerance = 2e-7 if case.startswith("gemma") else 0
            np.testing.assert_allclose(weights[name][start:], x[start:], rtol=0, atol=tolerance)
    config = found.config.to_dict()
    for name, value in wanted.config.to_dict().items():
        if name not in UNKNOWN and (case, name) != ("falcon-7b", "num_kv_heads"):
            assert config.get(name) == same(value), name
    assert found.config.architectures == [type(wanted).__name__]
    assert AutoConfig.from_pretrained(path).to_dict() == found.config.to_dict() | {
        "_name_or_path": str(path)
    }


@pytest.mark.parametrize(("case", "kind"), REFERENCE_CASES)
def test_as_the_reference_loads_it(case: str, kind: str, tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.gguf", case, kind)
    model = AutoModelForCausalLM.from_pretrained(path)
    assert digest(model.state_dict()) == GOLDEN[case]["digests"][kind]
    # the reference keeps numbers in configurations that have no such field
    foreign = {"falcon-7b": ("num_key_value_heads", "intermediate_size")}
    foreign["gpt2-1024"] = ("feed_forward_length",)
    for name, value in GOLDEN[case]["config"].items():
        if name not in foreign.get(case, ()):
            assert getattr(model.config, name) == same(value), name


def test_the_page_names_every_architecture() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gguf.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(ARCHITECTURES)
    assert {architecture for architecture, *_ in CASES.values()} == set(ARCHITECTURES)


def test_types_are_the_packages() -> None:
    for code, kind in TENSOR_TYPES.items():
        theirs = gguf.GGMLQuantizationType(code)
        assert (theirs.name, *gguf.GGML_QUANT_SIZES[theirs]) == kind


@pytest.mark.parametrize("kind", [k for k in TENSOR_TYPES.values() if k.block > 1], ids=str)
def test_a_slice_is_expanded_alone(kind: Any, rng: np.random.Generator) -> None:
    theirs = gguf.GGMLQuantizationType[kind.name]
    data = quantized(rng.standard_normal((3, 2, 256), dtype=np.float32), theirs)
    stack = QuantizedTensor("x", kind.name, (3, 2, 256), data)
    row = QuantizedTensor("x", kind.name, (256,), data[1, 1])
    assert row.numpy().dtype == np.float32
    np.testing.assert_array_equal(row.numpy(), stack.numpy()[1, 1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model.gguf", "llama", "Q4_0")
    return tmp_path


def test_by_path_and_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch, hub: Any) -> None:
    path = folder / "model.gguf"
    monkeypatch.chdir(folder)
    for name, keyword in ((path, {}), ("model.gguf", {}), (folder, {"gguf_file": "model.gguf"})):
        assert AutoConfig.from_pretrained(name, **keyword).hidden_size == 32
        assert GenerationConfig.from_pretrained(name, **keyword).eos_token_id == 2
        tokenizer = AutoTokenizer.from_pretrained(name, **keyword)
        assert tokenizer.chat_template == "{{ messages[0].content }}"
        model = AutoModelForCausalLM.from_pretrained(name, **keyword)
        assert model.generation_config.bos_token_id == 1
        assert AutoModel.from_pretrained(name, **keyword).config.hidden_size == 32
        copy = pickle.loads(pickle.dumps(model))
        assert digest(copy.state_dict()) == digest(model.state_dict())
    assert AutoConfig.from_pretrained(path, rope_theta=5.0).rope_theta == 5.0
    model = AutoModelForCausalLM.from_pretrained(path, hidden_act="relu")
    assert model.config.hidden_act == "relu"
    pipeline("text-generation", model="model.gguf")
    assert not hub.requests  # "model.gguf" might be the id of a repository as well


def test_pipelines(folder: Path) -> None:
    path = str(folder / "model.gguf")
    text = pipeline("text-generation", model=path)("ab", max_new_tokens=3)[0]["generated_text"]
    assert text.startswith("ab")
    named = pipeline("text-generation", model=str(folder), model_kwargs={"gguf_file": "model.gguf"})
    assert named("ab", max_new_tokens=3)[0]["generated_text"] == text
    assert pipeline(model=path).task == "text-generation"
    with pytest.raises(OSError, match="gguf_file"):
        AutoModelForCausalLM.from_pretrained(folder, config=named.model.config)
    with pytest.raises(OSError, match=r"other\.gguf"):
        AutoModelForCausalLM.from_pretrained(folder, gguf_file="other.gguf")


def test_from_the_hub(folder: Path, hub: Any) -> None:
    hub.add("org/name", {"model.gguf": (folder / "model.gguf").read_bytes()})
    found = pipeline("text-generation", "org/name", model_kwargs={"gguf_file": "model.gguf"})
    local = AutoModelForCausalLM.from_pretrained(folder / "model.gguf")
    assert digest(found.model.state_dict()) == digest(local.state_dict())
    with pytest.raises(OSError, match=r"config\.json.*gguf_file='model\.gguf'"):
        AutoModelForCausalLM.from_pretrained("org/name")


def test_saved_as_safetensors(folder: Path) -> None:
    path, saved = folder / "model.gguf", folder / "saved"
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(path),
        AutoTokenizer.from_pretrained(path),
    )
    model.save_pretrained(saved)
    tokenizer.save_pretrained(saved)
    again, other = AutoModelForCausalLM.from_pretrained(saved), AutoTokenizer.from_pretrained(saved)
    assert digest(again.state_dict()) == digest(model.state_dict())
    assert again.generation_config == model.generation_config
    assert other("ab")["input_ids"] == tokenizer("ab")["input_ids"]
    assert other.chat_template == tokenizer.chat_template


def rewrite(path: Path, change: Any, tensors: Any = dict) -> Path:
    """Write the file once more, with `change` of its metadata and `tensors` of its tensors."""
    reader = gguf.GGUFReader(path)
    fields = {
        name: (field.contents(), field.types[0], field.types[-1])
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.")
    }
    arrays = tensors({t.name: (t.data, t.tensor_type) for t in reader.tensors})
    writer = gguf.GGUFWriter(path.with_name(f"changed-{path.name}"), "llama")
    for name, value in change({n: v[0] for n, v in fields.items()}).items():
        if name != "general.architecture":
            _, kind, inner = fields.get(name, (None, gguf.GGUFValueType.get_type(value), None))
            writer.add_key_value(name, value, kind, inner if kind == 9 else None)
        else:
            writer.add_string(name, value)
    for name, (data, kind) in arrays.items():
        writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.with_name(f"changed-{path.name}")


def test_a_head_of_the_same_bytes_is_tied(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.gguf", "gpt2")
    twice = lambda tensors: {**tensors, "output.weight": tensors["token_embd.weight"]}
    model = AutoModelForCausalLM.from_pretrained(rewrite(path, dict, twice))
    assert model.config.tie_word_embeddings
    assert model.lm_head.weight is model.transformer.wte.weight

    def own(tensors: dict) -> dict:
        data, kind = tensors["token_embd.weight"]
        return {**tensors, "output.weight": (data * 2, kind)}

    model = AutoModelForCausalLM.from_pretrained(rewrite(path, dict, own))
    assert not model.config.tie_word_embeddings
    np.testing.assert_array_equal(model.lm_head.weight, model.transformer.wte.weight * 2)


def test_experts_one_by_one(tmp_path: Path) -> None:
    """As Mixtral's first files have them."""
    path = write_model(tmp_path / "model.gguf", "mixtral")

    def apart(tensors: dict) -> dict:
        out = {}
        for name, (data, kind) in tensors.items():
            if "_exps" in name:
                names = (name.replace("_exps", f".{i}") for i in range(len(data)))
                out |= {n: (x, kind) for n, x in zip(names, data)}
            else:
                out[name] = (data, kind)
        return out

    model = AutoModelForCausalLM.from_pretrained(rewrite(path, dict, apart))
    assert digest(model.state_dict()) == digest(model_of("mixtral").state_dict())


def test_a_fused_projection_is_taken_apart(tmp_path: Path) -> None:
    """As Phi-2's first files have it."""
    path = write_model(tmp_path / "model.gguf", "phi2")

    def fused(tensors: dict) -> dict:
        for block in range(2):
            for end in ("weight", "bias"):
                parts = [tensors.pop(f"blk.{block}.attn_{part}.{end}") for part in "qkv"]
                whole = np.concatenate([data for data, _ in parts])
                tensors[f"blk.{block}.attn_qkv.{end}"] = whole, parts[0][1]
        return tensors

    model = AutoModelForCausalLM.from_pretrained(rewrite(path, dict, fused))
    assert digest(model.state_dict()) == digest(model_of("phi2").state_dict())


def test_split_files(folder: Path) -> None:
    path = folder / "model.gguf"
    names = list(GGUFFile(path).tensors)
    for part, kept in enumerate((names[:5], names[5:]), start=1):
        some = lambda tensors, kept=kept: {n: tensors[n] for n in kept}
        rewrite(path, dict if part == 1 else lambda _: {"split.no": 1}, some).rename(
            folder / f"model-{part:05d}-of-00002.gguf"
        )
    whole = AutoModelForCausalLM.from_pretrained(path)
    for part in (1, 2):
        name = f"model-{part:05d}-of-00002.gguf"
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name)
        assert digest(model.state_dict()) == digest(whole.state_dict())
        assert AutoTokenizer.from_pretrained(folder, gguf_file=name).eos_token_id == 2
    (folder / "model-00002-of-00002.gguf").unlink()
    with pytest.raises(OSError, match="model-00002-of-00002"):
        AutoModelForCausalLM.from_pretrained(folder / "model-00001-of-00002.gguf")


def test_ends_of_turns_end_a_generation(folder: Path) -> None:
    path = rewrite(
        folder / "model.gguf", lambda fields: fields | {"tokenizer.ggml.eot_token_id": 7}
    )
    assert AutoConfig.from_pretrained(path).eos_token_id == [2, 7]
    assert AutoModelForCausalLM.from_pretrained(path).generation_config.eos_token_id == [2, 7]


def test_named_chat_templates(tmp_path: Path) -> None:
    path = tmp_path / "named.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    templates = {"default": "D", "tools": "T"}
    writer.add_chat_template([{"name": n, "template": t} for n, t in templates.items()])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert AutoTokenizer.from_pretrained(path).chat_template == templates


def test_other_factors_of_angles_are_kept(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.gguf", "llama3")
    factors = np.float32([1, 3, 2, 5])
    odd = lambda tensors: {**tensors, "rope_freqs.weight": (factors, gguf.GGMLQuantizationType.F32)}
    scaling = AutoConfig.from_pretrained(rewrite(path, dict, odd)).rope_scaling
    assert scaling["rope_type"] == "longrope"
    assert scaling["short_factor"] == scaling["long_factor"] == [1, 3, 2, 5]
    assert scaling["attention_factor"] == 1.0


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write_model(tmp_path / "plain.gguf", "llama", "F16")
    packed = write_model(tmp_path / "packed.gguf", "llama", "Q8_0")
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert AutoModelForCausalLM.from_pretrained(plain).config.hidden_size == 32
    with pytest.raises(ImportError, match=r"Q8_0.*minitransformers\[gguf\]"):
        AutoModelForCausalLM.from_pretrained(packed)
