"""from_pretrained: names, prefixes, ties, heads that are missing, shapes that do not fit."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from loading_cases import CHANGES, CLASSES, pairs
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    MarianConfig,
    MarianForCausalLM,
    MarianModel,
    OPTConfig,
    OPTForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)
from minitransformers.checkpoints import read_safetensors, write_safetensors
from minitransformers.core.packed import BFloat16, Float16

IDS = np.array([[5, 6, 7, 8]])


@pytest.fixture
def gpt2(tmp_path: Path):
    model = fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"])))
    model.save_pretrained(tmp_path)
    return model, tmp_path


def rewrite(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    weights = {name: t.numpy().copy() for name, t in read_safetensors(path).items()}
    write_safetensors(path, change(weights))


def test_headless_and_headed_files_serve_each_other(gpt2, caplog) -> None:
    model, folder = gpt2
    hidden = GPT2Model.from_pretrained(folder)(IDS).last_hidden_state
    np.testing.assert_array_equal(hidden, model.transformer(IDS).last_hidden_state)
    strip = lambda weights: {n.removeprefix("transformer."): x for n, x in weights.items()}
    rewrite(folder, strip)
    again = AutoModelForCausalLM.from_pretrained(folder)
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)
    assert not caplog.records


def test_old_names(tmp_path: Path) -> None:
    model = fill(BertModel(BertConfig(**CONFIGS["bert"])))
    model.save_pretrained(tmp_path)

    def old(weights):
        named = {
            n.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): x
            for n, x in weights.items()
        }
        return {f"module.bert.{n}": x for n, x in named.items()} | {
            "module.bert.embeddings.position_ids": np.arange(24)[None]
        }  # fmt: skip

    rewrite(tmp_path, old)
    again, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    np.testing.assert_array_equal(again(IDS)[0], model(IDS)[0])


def test_a_missing_head_is_drawn_and_told(gpt2, caplog) -> None:
    _, folder = gpt2
    set_seed(0)
    with caplog.at_level(logging.WARNING):
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=5, output_loading_info=True
        )
    assert report["missing_keys"] == ["score.weight"]
    assert "['score.weight']" in caplog.text
    assert "TRAIN this model" in caplog.text
    assert model.score.weight.shape == (5, 12)
    # what torch draws with this seed
    np.testing.assert_allclose(
        model.score.weight[0, :4], np.load(GOLDEN)["score"][0, :4], rtol=1e-5
    )


GOLDEN = Path(__file__).parent / "golden" / "initial.npz"


def test_shapes_that_do_not_fit(gpt2) -> None:
    _, folder = gpt2
    with pytest.raises(RuntimeError, match=r"size mismatch for transformer.wte.weight.*\(37, 12\)"):
        GPT2LMHeadModel.from_pretrained(folder, vocab_size=40)
    model, report = GPT2LMHeadModel.from_pretrained(
        folder, vocab_size=40, ignore_mismatched_sizes=True, output_loading_info=True
    )
    assert [m[0] for m in report["mismatched_keys"]] == ["transformer.wte.weight"]
    assert model(IDS).logits.shape[-1] == 40


def test_unexpected_weights_are_told_where_the_class_made_the_file(gpt2, caplog) -> None:
    _, folder = gpt2
    rewrite(folder, lambda weights: weights | {"extra": np.zeros(3, np.float32)})
    with caplog.at_level(logging.WARNING):
        GPT2LMHeadModel.from_pretrained(folder)
    assert "['extra'] not used" in caplog.text or "'extra'" in caplog.text


@pytest.mark.parametrize("tie", [True, False])
def test_ties_follow_the_configuration(tmp_path: Path, tie: bool) -> None:
    config = T5Config(**(CONFIGS["t5"] | {"tie_word_embeddings": tie}))
    model = fill(T5ForConditionalGeneration(config))
    model.save_pretrained(tmp_path)
    assert ("lm_head.weight" in read_safetensors(tmp_path / "model.safetensors")) is not tie
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert (again.lm_head.weight is again.shared.weight) is tie
    assert again.encoder.embed_tokens.weight is again.shared.weight
    ids = {"input_ids": IDS, "decoder_input_ids": IDS}
    np.testing.assert_array_equal(again(**ids).logits, model(**ids).logits)
    # only the tied array's other name in the file
    if tie:
        rewrite(tmp_path, lambda w: {n.replace("shared.", "lm_head."): x for n, x in w.items()})
        again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
        np.testing.assert_array_equal(again(**ids).logits, model(**ids).logits)


def test_sharded(gpt2, tmp_path_factory) -> None:
    model, _ = gpt2
    folder = tmp_path_factory.mktemp("sharded")
    model.save_pretrained(folder, max_shard_size="4KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    np.testing.assert_array_equal(
        AutoModelForCausalLM.from_pretrained(folder)(IDS)[0], model(IDS)[0]
    )


def test_weights_are_views_of_the_file(gpt2) -> None:
    _, folder = gpt2
    model = GPT2LMHeadModel.from_pretrained(folder)
    assert not any(p.flags.owndata for p in model.parameters())


@pytest.mark.parametrize("dtype", ["float16", "auto", np.float16, np.float32, "torch.bfloat16"])
def test_accepted_options(gpt2, dtype) -> None:
    model, folder = gpt2
    again = GPT2LMHeadModel.from_pretrained(
        folder, torch_dtype=dtype, device_map="auto", low_cpu_mem_usage=True,
        attn_implementation="eager", trust_remote_code=False, use_safetensors=True,
        offload_folder="off", max_memory={"cpu": "1GB"}, proxies=None, resume_download=True,
    ).to("cpu").eval()  # fmt: skip
    exact = dtype in ("auto", np.float32)
    logits = model(IDS).logits
    np.testing.assert_allclose(again(IDS).logits, logits, atol=0 if exact else 0.02 * logits.std())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"device_map": 0}, ValueError, "device 0 is not available"),
        ({"device_map": {"": "cuda:0"}}, ValueError, "CPU"),
        ({"torch_dtype": "int3"}, ValueError, "int3"),
        ({"trust_remote_code": True}, ValueError, "never executed"),
        ({"nonsense": 1}, TypeError, r"unexpected keywords \['nonsense'\]"),
    ],
)
def test_impossible_options(gpt2, options, error, message) -> None:
    with pytest.raises(error, match=message):
        GPT2LMHeadModel.from_pretrained(gpt2[1], **options)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    GPT2Config(**CONFIGS["gpt2"]).save_pretrained(tmp_path)
    with pytest.raises(OSError, match="model.safetensors"):
        AutoModel.from_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ValueError, match="pytorch_model.bin: 1 bytes are too few"):
        AutoModel.from_pretrained(tmp_path)


def test_auto_classes_say_which_they_can_be(gpt2) -> None:
    with pytest.raises(ValueError, match=r"AutoModelForMaskedLM.*\n.*BertConfig"):
        AutoModelForMaskedLM.from_pretrained(gpt2[1])
    with pytest.raises(OSError, match="designed to be instantiated using"):
        AutoModel()


def test_config_given(gpt2) -> None:
    model, folder = gpt2
    config = GPT2Config(**(CONFIGS["gpt2"] | {"activation_function": "relu"}))
    other = AutoModelForCausalLM.from_pretrained(folder, config=config)
    assert other.config is config
    assert np.abs(other(IDS).logits - model(IDS).logits).max() > 1e-3


def test_weights_without_a_file(gpt2) -> None:
    model, _ = gpt2
    other = GPT2LMHeadModel.from_pretrained(
        None, config=model.config, state_dict=model.state_dict()
    )
    np.testing.assert_array_equal(other(IDS).logits, model(IDS).logits)
    with pytest.raises(ValueError, match="needs a configuration and weights"):
        GPT2LMHeadModel.from_pretrained(None, config=model.config)


def test_keywords_of_the_constructor(tmp_path: Path) -> None:
    fill(BertModel(BertConfig(**CONFIGS["bert"]))).save_pretrained(tmp_path)
    model = BertModel.from_pretrained(tmp_path, add_pooling_layer=False)
    assert model(IDS).pooler_output is None
    assert pickle.loads(pickle.dumps(model)).pooler is None
    with pytest.raises(TypeError, match="add_poling_layer"):
        BertModel.from_pretrained(tmp_path, add_poling_layer=False)


def test_a_private_field_of_a_configuration_is_kept(tmp_path: Path) -> None:
    config = OPTConfig(**CONFIGS["opt"], _remove_final_layer_norm=True)
    model = fill(OPTForCausalLM(config))
    model.save_pretrained(tmp_path)
    again = OPTForCausalLM.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


def test_fresh_weights_follow_the_seed() -> None:
    config = BertConfig(**CONFIGS["bert"])
    set_seed(3)
    first = BertForSequenceClassification.from_config(config)
    set_seed(3)
    again = AutoModelForSequenceClassification.from_config(config)
    for a, b in zip(first.parameters(), again.parameters()):
        np.testing.assert_array_equal(a, b)
    table = first.bert.embeddings.word_embeddings.weight
    assert 0.015 < table[1:].std() < 0.025
    assert not table[0].any()  # padding
    assert first.bert.encoder.layer[0].output.LayerNorm.weight.min() == 1


def test_saved_files(gpt2) -> None:
    _, folder = gpt2
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["GPT2LMHeadModel"]
    assert config["torch_dtype"] == "float32"
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2
    with pytest.raises(OSError, match="is a file"):
        GPT2LMHeadModel.from_pretrained(folder).save_pretrained(folder / "config.json")


def test_facts() -> None:
    model = fill(BertForMaskedLM(BertConfig(**CONFIGS["bert"])))
    assert model.num_parameters() == sum(p.size for _, p in model.named_parameters())
    assert model.device == "cpu"
    assert model.dtype == np.float32
    with pytest.raises(ValueError, match="computes with NumPy on the CPU"):
        model.to("cuda")


REPORTS = json.loads((Path(__file__).parent / "golden" / "loading.json").read_text())


@pytest.mark.parametrize("family", sorted(set(CLASSES.values())))
def test_reports_are_the_reference_s(family: str, tmp_path: Path) -> None:
    for name in (name for name, its in CLASSES.items() if its == family):
        kind = getattr(minitransformers, name)
        kind(kind.config_class(**CONFIGS[family])).save_pretrained(tmp_path / name)
    for stored, name in pairs():
        for change, options in CHANGES.items() if CLASSES[name] == family else ():
            _, report = getattr(minitransformers, name).from_pretrained(
                tmp_path / stored, output_loading_info=True, **options
            )
            missing, unexpected, mismatched = REPORTS[f"{stored} {name} {change}"]
            case = f"{stored} in {name} {change}"
            assert report["missing_keys"] == missing, case
            assert report["unexpected_keys"] == unexpected, case
            found = [[n, list(there), list(here)] for n, there, here in report["mismatched_keys"]]
            assert sorted(found) == sorted(mismatched), case


def test_tied_tables_of_different_sizes_start_afresh(tmp_path: Path) -> None:
    fill(MarianForCausalLM(MarianConfig(**CONFIGS["marian"]))).save_pretrained(tmp_path)
    model = MarianModel.from_pretrained(tmp_path, vocab_size=41, ignore_mismatched_sizes=True)
    assert model.shared.weight.shape == (41, 12)
    assert np.isfinite(model.shared.weight).all()


def test_a_pooler_that_a_headed_file_lacks_is_no_obstacle_to_features(tmp_path: Path) -> None:
    from minitransformers import pipeline

    fill(BertForMaskedLM(BertConfig(**CONFIGS["bert"]))).save_pretrained(tmp_path)
    pipeline("feature-extraction", str(tmp_path), tokenizer="minitransformers/tiny-gpt2")


@pytest.mark.parametrize(
    ("says", "kept"),
    [("bfloat16", BFloat16), ("float32", np.ndarray), (None, Float16), ("int3", Float16)],
)
def test_auto_dtype_is_the_configuration_s(tmp_path: Path, says, kept) -> None:
    model = fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"]))).half()
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"torch_dtype": says}))
    table = lambda **how: GPT2LMHeadModel.from_pretrained(tmp_path, **how).transformer.wte.weight
    assert isinstance(table(torch_dtype="auto"), kept)
    assert isinstance(table(), Float16)  # no dtype: as stored


@pytest.mark.parametrize("wrapped", ["_orig_mod.module.", "module._orig_mod.", "module."])
def test_wrappers_and_buffers_of_old_files(tmp_path: Path, wrapped: str) -> None:
    model = fill(BertModel(BertConfig(**CONFIGS["bert"])))
    model.save_pretrained(tmp_path)
    buffers = {
        "embeddings.position_ids": np.arange(24)[None],
        "embeddings.token_type_ids": np.zeros((1, 24), np.int64),
    }
    rewrite(tmp_path, lambda weights: {f"{wrapped}{n}": x for n, x in (weights | buffers).items()})
    again, report = BertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    np.testing.assert_array_equal(again(IDS)[0], model(IDS)[0])
