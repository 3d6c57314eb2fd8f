"""resize_token_embeddings and its relatives, against the reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from resizing_cases import APART, CASES
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    BertForMaskedLM,
    BertModel,
    DistilBertForMaskedLM,
    DistilBertModel,
    EncoderDecoderModel,
    GPT2Config,
    GPT2LMHeadModel,
    MarianMTModel,
    PegasusForCausalLM,
    PegasusModel,
    set_seed,
)

GOLDEN = np.load(Path(__file__).parent / "golden" / "resizing.npz")
IDS = np.array([[5, 6, 7, 8]])


def build(kind: type, model_type: str, **changes):
    return fill(kind(kind.config_class(**CONFIGS[model_type] | changes)))


@pytest.mark.parametrize("case", CASES)
def test_resized_as_the_reference_does(case: str) -> None:
    name, fields, how = CASES[case]
    kind = getattr(minitransformers, name)
    model = fill(kind(kind.config_class(**fields)))
    paths = {id(module): path for path, module in model.named_modules()}
    head = model.get_output_embeddings()
    assert ("" if head is None else paths[id(head)]) == GOLDEN[f"{case}/head"]
    before = {key: value.shape for key, value in model.state_dict().items()}
    table = model.get_input_embeddings()
    set_seed(0)
    assert model.resize_token_embeddings(**how) is table
    changed = {k: v for k, v in model.state_dict().items() if v.shape != before[k]}
    stored = [key for key in GOLDEN.files if key.startswith(f"{case}/")]
    assert {f"{case}/{key}" for key in changed} == set(stored) - {f"{case}/head", f"{case}/counts"}
    for key, value in changed.items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, GOLDEN[f"{case}/{key}"], atol=1e-6, err_msg=key)
    total, without_tables, vocab = GOLDEN[f"{case}/counts"]
    assert model.config.vocab_size == vocab == table.weight.shape[0]
    if name != "MarianMTModel":  # whose positions, computed here, the reference counts
        assert model.num_parameters() == total
    assert model.num_parameters(exclude_embeddings=True) == without_tables


@pytest.mark.parametrize("tied", [True, False])
def test_a_resized_model_computes_saves_and_loads(tmp_path, tied) -> None:
    model = build(BartForConditionalGeneration, "bart", tie_word_embeddings=tied)
    before = model(input_ids=IDS, decoder_input_ids=IDS).logits
    model.resize_token_embeddings(50)
    after = model(input_ids=IDS, decoder_input_ids=IDS).logits
    np.testing.assert_allclose(after[..., :37], before, atol=1e-6)
    assert (model.lm_head.weight is model.model.shared.weight) is tied
    assert model.model.encoder.embed_tokens.weight is model.model.shared.weight
    model.save_pretrained(tmp_path)
    again = BartForConditionalGeneration.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again(input_ids=IDS, decoder_input_ids=IDS).logits, after)
    assert again(input_ids=IDS + 40, decoder_input_ids=IDS).logits.shape[-1] == 50


def test_half_precision_from_a_file_can_be_resized(tmp_path) -> None:
    build(GPT2LMHeadModel, "gpt2").half().save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    before = model(IDS).logits
    model.resize_token_embeddings(41)
    np.testing.assert_allclose(model(IDS).logits[..., :37], before, atol=1e-6)
    model.save_pretrained(tmp_path / "again")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


def test_nothing_asked_is_nothing_done() -> None:
    model = build(GPT2LMHeadModel, "gpt2")
    weight = model.transformer.wte.weight
    assert model.resize_token_embeddings() is model.transformer.wte
    model.resize_token_embeddings(37)
    assert model.transformer.wte.weight is weight
    table, head = model.get_submodule("transformer.wte"), model.get_submodule("lm_head")
    assert (table.num_embeddings, table.embedding_dim) == (37, 12)
    assert (head.in_features, head.out_features) == (12, 37)
    assert model.get_submodule("") is model
    with pytest.raises(AttributeError, match=r"no module 'transformer\.wtf'"):
        model.get_submodule("transformer.wtf")
    assert GPT2LMHeadModel.register_for_auto_class("AutoModel") is None


@pytest.mark.parametrize("how", [{"new_num_tokens": 0}, {"pad_to_multiple_of": 0.5}])
def test_impossible_sizes(how) -> None:
    with pytest.raises(ValueError, match="must be"):
        build(GPT2LMHeadModel, "gpt2").resize_token_embeddings(**how)


def test_padding_that_is_gone() -> None:
    model = build(BertModel, "bert", pad_token_id=36)
    assert model.resize_token_embeddings(36).padding_idx is None


def test_two_vocabularies() -> None:
    model = fill(MarianMTModel(MarianMTModel.config_class(**APART)))
    model.resize_decoder_token_embeddings(31)
    assert model.model.decoder.embed_tokens.weight is model.lm_head.weight
    assert model.config.decoder_vocab_size == 31
    ids = np.array([[1, 2, 3]])
    assert model(input_ids=ids, decoder_input_ids=ids).logits.shape[-1] == 31
    with pytest.raises(ValueError, match="share one vocabulary"):
        build(MarianMTModel, "marian").resize_decoder_token_embeddings(31)
    parts = build(BertModel, "bert"), build(GPT2LMHeadModel, "gpt2", add_cross_attention=True)
    with pytest.raises(NotImplementedError, match="a vocabulary each"):
        EncoderDecoderModel(encoder=parts[0], decoder=parts[1]).resize_token_embeddings(40)


def test_tables_and_heads_are_replaced() -> None:
    model, other = build(BertForMaskedLM, "bert"), fill(build(BertForMaskedLM, "bert"), seed=1)
    model.set_input_embeddings(other.get_input_embeddings())
    assert model.get_input_embeddings() is other.get_input_embeddings()
    assert model.cls.predictions.decoder.weight is not other.get_input_embeddings().weight
    model.tie_weights()
    assert model.cls.predictions.decoder.weight is other.get_input_embeddings().weight
    model.set_output_embeddings(other.get_output_embeddings())
    assert model.get_output_embeddings() is other.cls.predictions.decoder
    assert model.cls.predictions.bias is other.cls.predictions.decoder.bias
    bart, table = build(BartForConditionalGeneration, "bart"), other.get_input_embeddings()
    bart.set_input_embeddings(table)
    for stack in (bart.model.encoder, bart.model.decoder):
        assert stack.embed_tokens.weight is table.weight
    with pytest.raises(ValueError, match="no output embeddings"):
        model.bert.set_output_embeddings(other.get_output_embeddings())


@pytest.mark.parametrize("kind", [DistilBertModel, DistilBertForMaskedLM])
def test_positions(kind) -> None:
    model = build(kind, "distilbert")
    before = model(IDS)[0]
    model.resize_position_embeddings(60)
    assert model.config.max_position_embeddings == 60
    assert model.get_position_embeddings().weight.shape == (60, 12)
    np.testing.assert_array_equal(model(IDS)[0], before)
    assert model(np.full((1, 60), 5))[0].shape[1] == 60
    model.resize_position_embeddings(4)
    np.testing.assert_array_equal(model(IDS)[0], before)
    with pytest.raises(NotImplementedError, match="BertModel has no table of positions"):
        build(BertModel, "bert").resize_position_embeddings(60)


def test_computed_positions() -> None:
    model = build(PegasusModel, "pegasus")
    model.resize_position_embeddings(500)
    assert model.config.max_position_embeddings == 500
    assert [stack.length for stack in model.get_position_embeddings()] == [500, 500]
    assert build(PegasusForCausalLM, "pegasus").get_position_embeddings().length


def test_facts() -> None:
    model = build(GPT2LMHeadModel, "gpt2")
    assert GPT2LMHeadModel.can_generate()
    assert not BertModel.can_generate()
    assert model.get_memory_footprint() == 4 * model.num_parameters()
    assert model.half().get_memory_footprint() < 2.2 * model.num_parameters()
    for parameter in model.transformer.parameters():
        parameter.requires_grad = False
    assert model.num_parameters(only_trainable=True) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(tmp_path, dtype) -> None:
    model = build(GPT2LMHeadModel, "gpt2")
    exact = model(IDS).logits
    assert model.to(dtype) is model
    rough = model(IDS).logits
    assert 0 < np.abs(rough - exact).max() < 0.1
    assert model.lm_head.weight is model.transformer.wte.weight
    model.save_pretrained(tmp_path)
    assert GPT2Config.from_pretrained(tmp_path).torch_dtype == dtype
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again(IDS).logits, rough)
    np.testing.assert_allclose(again.float()(IDS).logits, rough, atol=1e-5)
    assert all(isinstance(x, np.ndarray) for x in again.state_dict().values())
    model.to("cpu", non_blocking=True)
    with pytest.raises(ValueError, match="float64"):
        model.to(np.float64)


def test_a_model_from_a_configuration_has_weights() -> None:
    set_seed(0)
    model = BertForMaskedLM(BertForMaskedLM.config_class(**CONFIGS["bert"]))
    assert np.isfinite(model(IDS).logits).all()
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    set_seed(0)
    again = BertForMaskedLM._from_config(model.config)
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_tables_in_half_precision_stay_so(dtype: str, tmp_path: Path) -> None:
    build(GPT2LMHeadModel, "gpt2").save_pretrained(tmp_path)
    model = GPT2LMHeadModel.from_pretrained(tmp_path, dtype=dtype)
    kept, logits = type(model.transformer.wte.weight), model(IDS).logits
    model.resize_token_embeddings(45)
    assert type(model.transformer.wte.weight) is kept
    np.testing.assert_allclose(model(IDS).logits[..., :37], logits, atol=1e-6)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == dtype
    again = GPT2LMHeadModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again(IDS).logits, model(IDS).logits)


def test_a_footprint_without_buffers() -> None:
    model = BartForConditionalGeneration(BartConfig(**CONFIGS["bart"]))
    buffer = model.final_logits_bias
    whole = model.get_memory_footprint()
    assert whole - model.get_memory_footprint(return_buffers=False) == buffer.nbytes
    assert model.get_memory_footprint(return_buffers=False) == 4 * model.num_parameters()
