"""Parameters, recorded calls and plain loops."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS, fill

from minitransformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)
from minitransformers.core import ops
from minitransformers.core.layers import Linear
from minitransformers.core.module import Module
from minitransformers.core.primitive import Tensor, backward, primitive
from minitransformers.optimization import get_scheduler
from minitransformers.training.data import DataLoader
from minitransformers.training.grad import (
    clip_grad_norm_,
    enable_grad,
    is_grad_enabled,
    no_grad,
    recording,
    value_and_grad,
)
from minitransformers.training.optim import SGD, AdamW, decayed_names, get_parameter_names

IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2]])
LABELS = np.array([0, 2])


def bert(**fields: Any) -> Any:
    return fill(
        BertForSequenceClassification(BertConfig(**CONFIGS["bert"], num_labels=3, **fields))
    )


def gpt2(**fields: Any) -> Any:
    return fill(GPT2LMHeadModel(GPT2Config(**CONFIGS["gpt2"], **fields)))


def test_a_tutorials_loop() -> None:
    rows = [{"input_ids": ids, "labels": label} for ids, label in zip(IDS, LABELS)] * 4
    model = bert()
    loader = DataLoader(rows, shuffle=True, batch_size=2)
    optimizer = AdamW(model.parameters(), lr=5e-3)
    steps = 10 * len(loader)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=steps)
    set_seed(0)
    losses = []
    model.train()
    for _ in range(10):
        for batch in loader:
            loss = model(**batch).loss
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    assert schedule.get_last_lr() == [0.0]
    model.eval()
    with no_grad():
        predictions = model(input_ids=IDS).logits.argmax(-1)
    np.testing.assert_array_equal(predictions, LABELS)
    assert losses[-1] < 0.3 < losses[0]


def test_calls_are_recorded_in_training_only() -> None:
    model = bert()
    assert type(model(input_ids=IDS).logits) is np.ndarray
    model.train()
    assert is_grad_enabled()
    output = model(input_ids=IDS, labels=LABELS)
    assert type(output.loss) is Tensor
    assert all(type(x) is np.ndarray for x in model.state_dict().values())
    with no_grad():
        assert not is_grad_enabled()
        assert type(model(input_ids=IDS).logits) is np.ndarray
        with enable_grad():
            assert type(model(input_ids=IDS).logits) is Tensor
    model.eval()
    with enable_grad():
        assert type(model(input_ids=IDS).logits) is Tensor

    @no_grad()
    def logits() -> Any:
        return model.train()(input_ids=IDS).logits

    assert type(logits()) is np.ndarray


def test_a_loaded_model_is_trained_without_switching_to_training() -> None:
    """As from_pretrained leaves it, in evaluation: torch takes gradients there too."""
    model = bert()
    assert type(model(input_ids=IDS, labels=LABELS).loss) is not Tensor
    optimizer = SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = model(input_ids=IDS, labels=LABELS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[0] > losses[1] > losses[2]
    assert type(model(input_ids=IDS).logits) is np.ndarray
    with no_grad():
        assert type(model(input_ids=IDS, labels=LABELS).loss) is not Tensor
    del optimizer
    gc.collect()
    assert type(model(input_ids=IDS, labels=LABELS).loss) is not Tensor


def test_generate_of_a_model_in_training_is_not_recorded() -> None:
    model = gpt2(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    wanted = model.generate(IDS[:, :3], max_new_tokens=4)
    np.testing.assert_array_equal(model.train().generate(IDS[:, :3], max_new_tokens=4), wanted)


def test_what_a_loss_offers() -> None:
    loss = bert().train()(input_ids=IDS, labels=LABELS).loss
    assert float(loss) == loss.item() == loss.detach() == loss.numpy() == loss.cpu().tolist()
    assert f"{loss:.3f}" == f"{loss.item():.3f}"
    assert str(loss).startswith("Tensor(")
    assert (loss * 2 - loss).item() == pytest.approx(loss.item())
    with pytest.raises(TypeError, match="ufunc"):
        np.exp(loss)
    with pytest.raises(TypeError, match="detach"):
        np.asarray(loss)


def test_gradients_accumulate_and_are_forgotten() -> None:
    model = bert(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    call = lambda: model(input_ids=IDS, labels=LABELS).loss
    call().backward()
    once = {n: p.grad.copy() for n, p in model.named_parameters()}
    (call() / 2).backward()
    for n, p in model.named_parameters():
        np.testing.assert_allclose(p.grad, 1.5 * once[n], rtol=1e-4, atol=1e-6)
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    (call() + call()).backward()
    for n, p in model.named_parameters():
        np.testing.assert_allclose(p.grad, 2 * once[n], rtol=1e-4, atol=1e-6)


def test_backward_releases_what_it_used() -> None:
    model = bert().train()
    loss = model(input_ids=IDS, labels=LABELS).loss
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        loss.backward()
    model.zero_grad()
    loss = model(input_ids=IDS, labels=LABELS).loss
    loss.backward(retain_graph=True)
    once = model.classifier.weight, next(p for p in model.classifier.parameters()).grad.copy()
    loss.backward()
    np.testing.assert_allclose(next(model.classifier.parameters()).grad, 2 * once[1], rtol=1e-6)
    logits = model(input_ids=IDS).logits
    with pytest.raises(ValueError, match="single number"):
        logits.backward()
    model.zero_grad()
    logits.backward(np.ones((2, 3)))
    np.testing.assert_allclose(model.classifier.bias.shape, (3,))
    assert {p.name: p.grad for p in model.parameters()}["classifier.bias"].tolist() == [2, 2, 2]


def test_two_parameters_do_not_share_a_gradient() -> None:
    """The derivative of a sum hands the same array to both terms."""

    class Sum(Module):
        def __init__(self) -> None:
            self.a, self.b = np.ones(3, np.float32), np.ones(3, np.float32)

    module = Sum()
    for _ in range(2):
        with recording(module):
            total = (module.a + module.b).sum()
        total.backward()
    a, b = module.parameters()
    np.testing.assert_array_equal(a.grad, np.full(3, 2.0))
    np.testing.assert_array_equal(b.grad, np.full(3, 2.0))
    assert not np.shares_memory(a.grad, b.grad)


def test_freezing() -> None:
    model = bert().train()
    for p in model.base_model.parameters():
        p.requires_grad = False
    assert model.num_parameters(only_trainable=True) == 12 * 3 + 3
    before = {n: x.copy() for n, x in model.state_dict().items()}
    optimizer = AdamW(model.parameters(), lr=0.1)
    model(input_ids=IDS, labels=LABELS).loss.backward()
    optimizer.step()
    changed = {n for n, x in model.state_dict().items() if (x != before[n]).any()}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert sum(p.grad is not None for p in model.parameters()) == 2
    model.requires_grad_(True)
    assert all(p.requires_grad for p in model.parameters())
    model.requires_grad_(False)
    with pytest.raises(TypeError, match="no trained parameter"):
        value_and_grad(model)(input_ids=IDS, labels=LABELS)


def test_tied_parameters_are_one() -> None:
    model = gpt2()
    names = [n for n, _ in model.named_parameters()]
    assert "transformer.wte.weight" in names
    assert "lm_head.weight" not in names
    (head,) = model.lm_head.parameters()
    assert head is dict(model.named_parameters())["transformer.wte.weight"]
    head.data = head.data.copy()
    assert model.lm_head.weight is model.transformer.wte.weight


def test_handles_taken_before_a_tie_was_seen_are_one() -> None:
    model = gpt2()
    (head,), (table,) = model.lm_head.parameters(), model.transformer.wte.parameters()
    head.requires_grad = False
    list(model.parameters())
    assert not table.requires_grad
    table.requires_grad = True
    assert head.requires_grad
    table.grad = np.ones(3)
    assert head.grad is table.grad


def test_buffers_are_not_trained() -> None:
    from minitransformers import BartConfig, BartForConditionalGeneration

    model = BartForConditionalGeneration(BartConfig(**CONFIGS["bart"]))
    assert "final_logits_bias" in model.state_dict()
    assert "final_logits_bias" not in dict(model.named_parameters())


def test_parameters_follow_loaded_weights_and_stay_out_of_pickles(tmp_path: Any) -> None:
    model = gpt2()
    p = next(model.parameters())
    model.load_state_dict({n: x + 1 for n, x in model.state_dict().items()})
    np.testing.assert_array_equal(p.data, model.transformer.wte.weight)
    p.grad = np.zeros(p.shape)
    size = len(pickle.dumps(model))
    assert size < 1.2 * sum(x.nbytes for x in model.state_dict().values()) + 20_000
    copied = copy.deepcopy(model)
    assert next(copied.parameters()) is not p
    assert next(copied.parameters()).grad is None
    model.save_pretrained(tmp_path)
    loaded = GPT2LMHeadModel.from_pretrained(tmp_path).train()
    file = (tmp_path / "model.safetensors").read_bytes()
    optimizer = SGD(loaded.parameters(), lr=0.1)
    loaded(IDS, labels=IDS).loss.backward()
    optimizer.step()
    assert (tmp_path / "model.safetensors").read_bytes() == file
    assert (loaded.transformer.wte.weight != model.transformer.wte.weight).any()


def test_a_parameter_is_used_as_an_array() -> None:
    box = Module()
    box.x = np.arange(6, dtype=np.float32).reshape(2, 3)
    (p,) = box.parameters()
    assert (p.shape, p.ndim, p.dim(), p.size, p.numel(), len(p)) == ((2, 3), 2, 2, 6, 6, 2)
    assert p.name == "x"
    np.testing.assert_array_equal(p * 2 + 1, box.x * 2 + 1)
    np.testing.assert_array_equal(p[0], [0, 1, 2])
    np.testing.assert_array_equal(np.asarray(p, np.float64), box.x)
    with no_grad():
        p -= 0.5 * np.ones(3, np.float32)
    np.testing.assert_array_equal(box.x[0], [-0.5, 0.5, 1.5])
    assert p in {p}
    assert p.requires_grad_(False) is p
    assert "Parameter('x'" in repr(p)


def test_a_module_of_ones_own() -> None:
    class Model(Module):
        def __init__(self) -> None:
            self.bert = bert().bert.train()
            self.head = Linear(12, 2)
            self.head.weight, self.head.bias = np.ones((2, 12), np.float32), np.zeros(2, np.float32)

        def __call__(self, ids: np.ndarray) -> Any:
            return self.head(self.bert(input_ids=ids).pooler_output)

    model = Model()
    with recording(model):
        loss = ops.cross_entropy(model(IDS), labels=np.array([0, 1]))
    loss.backward()
    grads = {n: p.grad for n, p in model.named_parameters()}
    assert grads["head.weight"] is not None
    assert grads["bert.embeddings.word_embeddings.weight"] is not None
    set_seed(0)
    value, found = value_and_grad(
        model, lambda ids: ops.cross_entropy(model(ids), labels=np.array([0, 1]))
    )(IDS)
    assert found.keys() == {n for n, g in grads.items() if g is not None}
    assert isinstance(value, np.ndarray | np.generic)


def test_value_and_grad_in_any_mode_leaves_the_parameters_alone() -> None:
    model = bert()
    value, gradients = value_and_grad(model)(input_ids=IDS, labels=LABELS)
    model.train()
    set_seed(0)
    dropped, _ = value_and_grad(model)(input_ids=IDS, labels=LABELS)
    set_seed(0)
    assert model(input_ids=IDS, labels=LABELS).loss.item() == dropped != value
    assert gradients.keys() == dict(model.named_parameters()).keys()
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(TypeError, match="labels given"):
        value_and_grad(model)(input_ids=IDS)


def test_which_names_decay() -> None:
    names = decayed_names(bert())
    assert "classifier.weight" in names
    assert not any("bias" in n or "LayerNorm" in n for n in names)
    model = gpt2()
    every = get_parameter_names(model, [])
    assert sorted(every) == sorted(model.state_dict())


# gradient checkpointing

CHECKPOINTED: dict[str, Any] = {
    "bert": lambda: (bert(), {"input_ids": IDS, "labels": LABELS}),
    "gpt2": lambda: (gpt2(), {"input_ids": IDS, "labels": IDS}),
    "t5": lambda: (
        fill(T5ForConditionalGeneration(T5Config(**CONFIGS["t5"]))),
        {"input_ids": IDS, "labels": IDS[:, :4]},
    ),
    "mixtral": lambda: (
        fill(MixtralForCausalLM(MixtralConfig(**CONFIGS["mixtral"], output_router_logits=True))),
        {"input_ids": IDS, "labels": IDS},
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTED)
def test_checkpointing_changes_no_gradient(name: str) -> None:
    model, inputs = CHECKPOINTED[name]()
    model.train()
    gradients = []
    for on in (False, True):
        (model.gradient_checkpointing_enable if on else model.gradient_checkpointing_disable)()
        assert model.is_gradient_checkpointing is on
        set_seed(0)
        model.zero_grad()
        out = model(**inputs, output_hidden_states=True)
        out.loss.backward()
        kept = out.get("hidden_states", out.get("decoder_hidden_states"))
        assert len(kept) == 3
        gradients.append((out.loss.item(), {n: p.grad for n, p in model.named_parameters()}))
    (loss, plain), (again, checkpointed) = gradients
    assert loss == again
    for n, g in plain.items():
        np.testing.assert_allclose(checkpointed[n], g, rtol=1e-5, atol=1e-6, err_msg=n)


def residuals(model: Any) -> int:
    """Bytes a recorded call keeps alive."""
    import tracemalloc

    tracemalloc.start()
    loss = model(input_ids=np.tile(IDS, (4, 4)), labels=np.tile(LABELS, 4)).loss
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert loss.item() > 0
    return kept


def test_checkpointing_halves_the_memory_of_residuals() -> None:
    config = BertConfig(**CONFIGS["bert"] | {"num_hidden_layers": 8}, num_labels=3)
    model = fill(BertForSequenceClassification(config)).train()
    list(model.parameters())
    plain = residuals(model)
    model.gradient_checkpointing_enable()
    assert residuals(model) < 0.5 * plain


def test_checkpointing_keeps_no_cache() -> None:
    model = gpt2().train()
    assert "past_key_values" in model(IDS)
    model.gradient_checkpointing_enable()
    assert "past_key_values" not in model(IDS, use_cache=True)
    past = model.eval()(IDS).past_key_values
    set_seed(0)
    loss = model.train()(IDS, past_key_values=past, labels=IDS).loss
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_graphs_are_freed_without_the_collector() -> None:
    model = bert().train()
    gc.disable()
    try:
        out = model(input_ids=IDS, labels=LABELS)
        seen = weakref.ref(out.logits.value)
        out.loss.backward()
        del out
        assert seen() is None
    finally:
        gc.enable()


def test_gradients_of_frozen_weights_are_not_computed() -> None:
    asked = []

    @primitive
    def product(x, y):
        return x * y, (x, y)

    @product.defvjp
    def _(saved, g, needs):
        asked.append(needs)
        x, y = saved
        return g * y if needs[0] else None, g * x if needs[1] else None

    x = Tensor(np.ones(3, np.float32))
    (found,) = backward(product(x, np.full(3, 2.0, np.float32)), np.ones(3, np.float32)).values()
    np.testing.assert_array_equal(found, np.full(3, 2.0))
    assert asked == [(True, False)]

    model = gpt2().train()
    for n, p in model.named_parameters():
        p.requires_grad = "c_attn" in n
    model(IDS, labels=IDS).loss.backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {n for n, p in model.named_parameters() if "c_attn" in n}
