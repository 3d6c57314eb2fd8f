"""The parameter tree, seen with the methods of torch's modules."""

import pytest

from minitransformers import GPT2Config, GPT2LMHeadModel


@pytest.fixture
def model():
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=8, n_head=2, vocab_size=11))


def test_children(model):
    children = {"transformer": model.transformer, "lm_head": model.lm_head}
    assert dict(model.named_children()) == children
    assert list(model.children()) == list(children.values())
    names = [name for name, _ in model.transformer.named_children()]
    assert names == ["wte", "wpe", "drop", "h.0", "h.1", "ln_f"]
    for child in model.children():
        child.requires_grad_(False)
    assert not any(p.requires_grad for p in model.parameters())


def test_a_function_is_applied_to_all_children_first(model):
    seen = []
    assert model.apply(seen.append) is model
    assert seen[-1] is model
    assert seen.index(model.transformer.h[1]) < seen.index(model.transformer)
    assert set(map(id, seen)) == {id(module) for _, module in model.named_modules()}


def test_a_parameter_by_its_name(model):
    assert model.get_parameter("transformer.wte.weight").data is model.transformer.wte.weight
    names = dict(model.named_parameters())
    assert all(model.get_parameter(name) is parameter for name, parameter in names.items())
    assert model.get_parameter("lm_head.weight") is model.get_parameter("transformer.wte.weight")
    model.get_parameter("transformer.ln_f.bias").requires_grad = False
    assert not names["transformer.ln_f.bias"].requires_grad
    with pytest.raises(AttributeError, match=r"no parameter 'transformer.wtf'"):
        model.get_parameter("transformer.wtf")
