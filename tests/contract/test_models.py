"""What every model must keep, over the whole registry: the contract of DESIGN's protocols."""

from __future__ import annotations

import inspect
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS, fill

from minitransformers.models import auto
from minitransformers.training.grad import value_and_grad

ALL = sorted({(kind, name) for kind, t in auto.MODELS.items() for name in t.values()} - set())
ALL = [(kind, name) for kind, name in ALL if not name.endswith("Config")]
ALL.append(("gpt2", "GPT2DoubleHeadsModel"))
# convolutions, trigrams and Fourier transforms see padding, as where the checkpoints were trained
SEES_PADDING = ("convbert", "fnet", "mobilebert")
IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2]])


def build(kind: str, name: str, **fields: Any) -> Any:
    labels = 2 if "QuestionAnswering" in name else 3  # a start and an end
    config = auto.config_class(kind)(**(CONFIGS[kind] | {"num_labels": labels} | fields))
    return fill(auto._load(kind, name)(config))


def looks_back(model: Any) -> bool:
    """Whether a position sees only those before it."""
    return "past_key_values" in model.output_class.__dataclass_fields__ and model._caches()


def inputs_of(model: Any, ids: np.ndarray = IDS, **more: Any) -> dict[str, Any]:
    if "global_attention_mask" in model.inputs:
        choices = type(model).__name__.endswith("MultipleChoice")
        shape = (len(ids), 2, ids.shape[1]) if choices else ids.shape
        more["global_attention_mask"] = np.zeros(shape, int)
        more["global_attention_mask"][..., 0] = 1
    if "question_lengths" in model.inputs:  # which are looked for in the ids
        more["question_lengths"] = np.full((len(ids), 1), 2)
    if type(model).__name__.endswith(("MultipleChoice", "DoubleHeadsModel")):
        return {"input_ids": np.stack([ids, ids[:, ::-1]], axis=1)} | more
    if seq2seq(model) and (model.generates or type(model).__name__.endswith("Model")):
        return {"input_ids": ids, "decoder_input_ids": ids[:, :4]} | more
    return {"input_ids": ids} | more


def seq2seq(model: Any) -> bool:
    return "decoder_input_ids" in model.inputs


def layers_of(config: Any) -> tuple[int, int]:
    """-> layers of the decoder, of the encoder"""
    if hasattr(config, "decoder"):
        return config.decoder.num_hidden_layers, config.encoder.num_hidden_layers
    decoder = getattr(config, "num_decoder_layers", None) or config.decoder_layers
    return decoder, getattr(config, "num_encoder_layers", config.num_hidden_layers)


def first(output: Any) -> np.ndarray:
    return output[0]


models = pytest.mark.parametrize(("kind", "name"), ALL, ids=[name for _, name in ALL])


@models
def test_float32_and_inputs_untouched(kind: str, name: str) -> None:
    model = build(kind, name)
    inputs = inputs_of(model)
    copies = {k: None if v is None else v.copy() for k, v in inputs.items()}
    out = model(**inputs, output_hidden_states=True, output_attentions=True)
    for field, value in out.items():
        for x in value if isinstance(value, tuple) else [value]:
            if isinstance(x, np.ndarray):
                assert x.dtype == np.float32, field
                assert np.isfinite(x).all(), field
    for k, v in copies.items():
        np.testing.assert_array_equal(inputs[k], v)


@models
def test_a_row_of_a_batch_is_the_row_alone(kind: str, name: str) -> None:
    model = build(kind, name)
    together = first(model(**inputs_of(model)))
    alone = first(model(**inputs_of(model, IDS[1:])))
    np.testing.assert_allclose(together[1:], alone, atol=1e-5, rtol=1e-4)


@models
def test_padding_on_the_right_changes_nothing(kind: str, name: str) -> None:
    model = build(kind, name)
    if kind in SEES_PADDING:
        pytest.skip("sees its neighbours, padding or not")
    if getattr(model.config, "summary_type", None) == "last" and "sequence_summary" in vars(model):
        pytest.skip("reads its last token")
    if name == "ProphetNetForCausalLM":
        pytest.skip("distances of its streams depend on the length, as in the reference")
    plain = model(**inputs_of(model))
    pad = model.config.pad_token_id or 0
    padded = np.pad(IDS, ((0, 0), (0, 2)), constant_values=pad)
    if name.endswith(("MultipleChoice", "DoubleHeadsModel")):
        other = np.pad(IDS[:, ::-1], ((0, 0), (0, 2)), constant_values=pad)
        padded = np.stack([padded, other], axis=1)
    mask = (padded != pad).astype(int)
    inputs = inputs_of(model) | {"input_ids": padded, "attention_mask": mask}
    if "global_attention_mask" in inputs:
        inputs["global_attention_mask"] = (np.arange(8) == 0) * np.ones_like(mask)
    if seq2seq(model) and "decoder_input_ids" not in inputs:
        inputs["decoder_input_ids"] = model.complete({"input_ids": padded}, {})["decoder_input_ids"]
    if name == "GPT2DoubleHeadsModel":
        inputs["mc_token_ids"] = np.full((2, 2), 5)
    got, wanted = first(model(**inputs)), first(plain)
    if got.ndim > 1 and got.shape != wanted.shape:
        got = got[tuple(slice(n) for n in wanted.shape)]
    np.testing.assert_allclose(got, wanted, atol=2e-5, rtol=1e-3)


@models
def test_padding_on_the_left_with_positions_changes_nothing(kind: str, name: str) -> None:
    model = build(kind, name)
    if "position_ids" not in model.inputs or inputs_of(model)["input_ids"].ndim > 2:
        pytest.skip("has no position_ids to undo the padding with")
    if "global_attention_mask" in model.inputs:
        pytest.skip("its first token is global")
    if "question_lengths" in model.inputs:
        pytest.skip("looks for the question on the left")
    if name == "BertModel" or "pooler" in dict(model.base_model.named_children()):
        pytest.skip("reads its first token")
    if name.endswith("ForSequenceClassification"):
        pytest.skip("looks for padding on the right")
    if kind in SEES_PADDING:
        pytest.skip("sees its neighbours, padding or not")
    padded = np.pad(IDS, ((0, 0), (2, 0)))
    positions = np.maximum(np.arange(8) - 2, 0)[None]
    got = model(input_ids=padded, attention_mask=(padded != 0) * 1, position_ids=positions)
    plain = model(input_ids=IDS, position_ids=np.arange(6)[None])
    np.testing.assert_allclose(first(got)[:, 2:], first(plain), atol=2e-5, rtol=1e-3)


@models
@pytest.mark.parametrize("chunks", [(1,) * 6, (2, 3, 1), (5, 1)])
def test_cached_equals_full_at_every_chunking(kind: str, name: str, chunks: tuple) -> None:
    model = build(kind, name)
    if "is_decoder" in vars(model.config) and not looks_back(model):
        model = build(kind, name, is_decoder=True)
    if not looks_back(model) or "past_key_values" not in model.accepted():
        pytest.skip("keeps no cache")
    if name.endswith(("ForSequenceClassification", "ForQuestionAnswering", "DoubleHeadsModel")):
        pytest.skip("reads chosen positions")
    if kind == "prophetnet" and model.generates:
        pytest.skip("its streams see another distance without a cache, as in the reference")
    mask = np.array([[1] * 6, [0, 0, 1, 1, 1, 1]])
    if seq2seq(model):
        inputs, new = {"input_ids": IDS, "attention_mask": mask}, "decoder_input_ids"
        full = first(model(**inputs, decoder_input_ids=IDS))
    else:
        inputs, new = {}, "input_ids"
        full = first(model(input_ids=IDS, attention_mask=mask))
    past, got, at = None, [], 0
    for n in chunks:
        if not seq2seq(model):
            inputs["attention_mask"] = mask[:, : at + n]
        out = model(**inputs, **{new: IDS[:, at : at + n]}, past_key_values=past, use_cache=True)
        past, at = out.past_key_values, at + n
        got.append(first(out))
        # a cache is a value: it is passed on twice with the same result
        if len(past) and at == n:
            again = model(**inputs, **{new: IDS[:, :n]}, use_cache=True)
            np.testing.assert_array_equal(first(again), got[0])
    got = np.concatenate(got, axis=1)
    seen = np.ones_like(mask, bool) if seq2seq(model) else mask == 1  # padding attends to anything
    np.testing.assert_allclose(got[seen], full[seen], atol=2e-5, rtol=1e-3)


@models
def test_causality(kind: str, name: str) -> None:
    model = build(kind, name)
    if not looks_back(model) or seq2seq(model) or not name.endswith(("LMHeadModel", "Model")):
        pytest.skip("sees both ways, or reads chosen positions")
    if name == "GPT2DoubleHeadsModel":
        pytest.skip("the same as GPT2LMHeadModel")
    changed = IDS.copy()
    changed[:, 4:] = 1
    before, after = first(model(input_ids=IDS)), first(model(input_ids=changed))
    shared = 1e-5 if kind == "mixtral" else 0.0  # an expert's product is of all tokens it gets
    np.testing.assert_allclose(before[:, :4], after[:, :4], rtol=0, atol=shared)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-3


@models
def test_hidden_states_attentions_and_tuples(kind: str, name: str) -> None:
    model = build(kind, name)
    plain = model(**inputs_of(model))
    out = model(**inputs_of(model), output_hidden_states=True, output_attentions=True)
    layers = getattr(model.config, "num_hidden_layers", 0)
    if name.endswith("ForCausalLM"):  # a decoder alone
        layers = getattr(model.config, "decoder_layers", layers)
        layers = getattr(model.config, "num_decoder_layers", layers)
    prefix = "decoder_" if seq2seq(model) else ""
    if seq2seq(model):
        layers, encoder_layers = layers_of(model.config)
        assert len(out.encoder_hidden_states) == encoder_layers + 1
        assert len(out.cross_attentions) == layers
    assert len(out[f"{prefix}hidden_states"]) == layers + 1
    sums = "global_attention_mask" not in model.inputs  # whose global queries are elsewhere
    for p in out.get(f"{prefix}attentions", ()) if sums else ():
        np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
    as_tuple = model(**inputs_of(model), return_dict=False)
    assert isinstance(as_tuple, tuple)
    np.testing.assert_array_equal(as_tuple[0], first(plain))
    assert "hidden_states" not in plain
    assert "attentions" not in plain


@models
def test_embeddings_given_as_inputs(kind: str, name: str) -> None:
    model = build(kind, name)
    if name.endswith(("ForSequenceClassification", "DoubleHeadsModel")):
        pytest.skip("looks for padding in the ids")
    if getattr(model.config, "token_dropout", False):
        pytest.skip("looks for mask tokens in the ids")
    inputs = inputs_of(model)
    table = model.get_input_embeddings()
    embedded = dict(inputs)
    embedded["inputs_embeds"] = table(embedded.pop("input_ids"))
    if seq2seq(model) and "decoder_input_ids" not in embedded:
        embedded["decoder_input_ids"] = model.complete(dict(inputs), {})["decoder_input_ids"]
    np.testing.assert_array_equal(first(model(**embedded)), first(model(**inputs)))
    with pytest.raises(ValueError, match=r"either .*input_ids or .*inputs_embeds|reads input_ids"):
        model(**{k: v for k, v in inputs.items() if k != "input_ids"})


@models
def test_saved_and_loaded_bit_for_bit(kind: str, name: str, tmp_path: Any) -> None:
    model = build(kind, name)
    model.save_pretrained(tmp_path)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    np.testing.assert_array_equal(
        first(loaded(**inputs_of(model))), first(model(**inputs_of(model)))
    )
    assert loaded.config.to_dict() | {"_name_or_path": ""} == model.config.to_dict()
    for own, theirs in zip(loaded.state_dict().values(), model.state_dict().values()):
        np.testing.assert_array_equal(own, theirs)
    for name, source in model.ties().items():
        state = loaded.state_dict()
        if name in state:
            assert state[name] is state[source]
    again = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_array_equal(
        first(again(**inputs_of(model))), first(model(**inputs_of(model)))
    )
    assert len(pickle.dumps(loaded)) < 20_000  # by path, not by weights
    changed = pickle.loads(pickle.dumps(model))  # not as in any file: by weights
    np.testing.assert_array_equal(
        first(changed(**inputs_of(model))), first(model(**inputs_of(model)))
    )


@models
def test_unknown_keyword_is_named(kind: str, name: str) -> None:
    model = build(kind, name)
    with pytest.raises(TypeError, match=r"does not take 'labells'; it takes input_ids"):
        model(**inputs_of(model), labells=IDS)


@models
def test_forward_takes_what_inputs_names(kind: str, name: str) -> None:
    model = build(kind, name)
    handled = {"past_key_values", "head_mask", "cross_attn_head_mask"}
    takes: set[str] = set()
    for part in model.modules():
        for base in type(part).__mro__:
            if "forward" in vars(base):
                takes |= set(inspect.signature(base.forward).parameters)
    assert set(model.inputs) - handled <= takes


def targets_of(model: Any) -> dict[str, np.ndarray]:
    name, batch = type(model).__name__, len(IDS)
    few = np.arange(batch) % 2
    if "QuestionAnswering" in name:
        return {"start_positions": few, "end_positions": few + 1}
    if name == "ElectraForPreTraining":
        return {"labels": IDS % 2}
    if name.endswith("ForPreTraining") and len(model.targets) == 2:
        return {"labels": IDS, model.targets[1]: few}
    if name.endswith(("SequenceClassification", "MultipleChoice", "NextSentencePrediction")):
        return {"labels": few}
    if name.endswith("TokenClassification"):
        return {"labels": np.where(IDS > 8, -100, IDS % 3)}
    if name == "GPT2DoubleHeadsModel":
        return {"labels": np.stack([IDS, IDS], axis=1), "mc_labels": few}
    return {"labels": IDS} if model.targets else {}


@models
def test_gradients_equal_central_differences(kind: str, name: str) -> None:
    model = build(kind, name)
    targets = targets_of(model)
    if not targets:
        pytest.skip("has no loss")
    inputs = inputs_of(model)
    if seq2seq(model):
        inputs.pop("decoder_input_ids", None)
    # in float64, where differences are exact enough to compare with
    state = {n: v.astype(np.float64) for n, v in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    values = {n: p.data for n, p in model.named_parameters()}
    rng = np.random.default_rng(0)
    directions = {n: rng.standard_normal(v.shape) for n, v in values.items()}
    for name, owner, _ in model.slots():  # the row of padding is not trained, on purpose
        if name in directions and getattr(owner, "padding_idx", None) is not None:
            directions[name][owner.padding_idx] = 0.0

    def loss_at(step: float) -> float:
        model.load_state_dict({n: values[n] + step * directions[n] for n in values}, False, True)
        model.tie_weights()
        return float(model(**inputs, **targets)[0])

    step = 1e-5
    expected = (loss_at(step) - loss_at(-step)) / (2 * step)
    model.load_state_dict(values, strict=False, assign=True)
    model.tie_weights()
    _, grads = value_and_grad(model)(**inputs, **targets)
    got = sum((grads[n] * directions[n]).sum() for n in grads)
    assert got == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_forward_is_thread_safe() -> None:
    model = build("gpt2", "GPT2LMHeadModel")
    wanted, got = model(IDS).logits, []
    threads = [threading.Thread(target=lambda: got.append(model(IDS).logits)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(g, wanted) for g in got)
