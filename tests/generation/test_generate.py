"""generate() against the reference's tokens, for random draws of every strategy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import fill

import minitransformers

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import draws

ENTRIES = json.loads((GOLDEN / "generate.json").read_text())


def build(case: dict, seed: int):
    kind = getattr(minitransformers, case["class"])
    return fill(kind(kind.config_class(**case["config"])), seed, case["scale"])


def tokens(case: dict) -> np.ndarray:
    model = build(case, case["seed"])
    helper = {}
    if "assistant" in case:
        helper["assistant_model"] = build(case, case["assistant"])
        for name, value in case["settings"].items():
            setattr(helper["assistant_model"].generation_config, name, value)
    minitransformers.set_seed(case["seed"])
    out = model.generate(**case["inputs"], **case["arguments"], **helper)
    return out if isinstance(out, np.ndarray) else out.sequences


@pytest.mark.parametrize("modes", sorted({tuple(entry["modes"]) for entry in ENTRIES}))
def test_tokens_are_the_references(modes: tuple[str, ...]) -> None:
    entries = [e for e in ENTRIES if tuple(e["modes"]) == modes and "differs" not in e]
    assert len(entries) > (200 if len(modes) > 1 else 8)
    for entry in entries:
        case = draws.draw(entry["seed"], modes)
        np.testing.assert_array_equal(tokens(case), entry["sequences"], err_msg=str(case))


GREEDY = {"class": "GPT2LMHeadModel", "seed": 0, "scale": 1.0}


def tiny_gpt2(**config):
    fields = dict(vocab_size=30, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=1)
    return build(GREEDY | {"config": fields | {"eos_token_id": 2, "pad_token_id": 0} | config}, 0)


def test_a_padded_row_continues_as_it_would_alone() -> None:
    model = tiny_gpt2()
    long, short = [5, 6, 7, 8], [9, 10]
    both = np.array([long, [0, 0, *short]])
    mask = np.array([[1, 1, 1, 1], [0, 0, 1, 1]])
    together = model.generate(both, attention_mask=mask, max_new_tokens=12, eos_token_id=None)
    alone = model.generate(np.array([short]), max_new_tokens=12, eos_token_id=None)
    np.testing.assert_array_equal(together[1, 4:], alone[0, 2:])
    # and a mask is told from the padding where the padding token has no other meaning
    told = model.generate(both, max_new_tokens=12, eos_token_id=None)
    np.testing.assert_array_equal(told, together)


def test_continuing_from_a_returned_cache() -> None:
    model = tiny_gpt2(eos_token_id=None)
    whole = model.generate(np.array([[5, 6, 7]]), max_new_tokens=10)
    half = model.generate(np.array([[5, 6, 7]]), max_new_tokens=4, return_dict_in_generate=True)
    for _ in range(2):  # the cache is a value: it can be continued twice
        rest = model.generate(
            half.sequences, past_key_values=half.past_key_values, max_new_tokens=6
        )
        np.testing.assert_array_equal(rest, whole)


def test_embeddings_as_prompt() -> None:
    model = tiny_gpt2(eos_token_id=None)
    ids = np.array([[5, 6, 7]])
    embedded = model.get_input_embeddings()(ids)
    whole = model.generate(ids, max_new_tokens=6)
    only_new = model.generate(inputs_embeds=embedded, max_new_tokens=6)
    np.testing.assert_array_equal(only_new, whole[:, 3:])


def test_no_prompt_starts_from_bos() -> None:
    assert tiny_gpt2().generate(max_new_tokens=3)[0, 0] == 1
    with pytest.raises(ValueError, match="no bos_token_id to start from"):
        tiny_gpt2(bos_token_id=None).generate(max_new_tokens=3)


def test_steps_can_be_iterated_and_left() -> None:
    model = tiny_gpt2(eos_token_id=None)
    steps = minitransformers.generate_steps(model, np.array([[5, 6]]), max_new_tokens=50)
    seen = []
    for step in steps:
        seen.append(int(step.tokens[0, 0]))
        if len(seen) == 4:
            break
    expected = model.generate(np.array([[5, 6]]), max_new_tokens=4)
    assert seen == expected[0, 2:].tolist()
    np.testing.assert_array_equal(steps.result().sequences, expected)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"foo": 1}, ValueError, r"not used by the model: \['foo'\]"),
        ({"max_length": 2}, ValueError, "Input length of input_ids is 3, but `max_length` is set"),
        ({"max_new_tokens": 0}, ValueError, "`max_new_tokens` must be greater than 0"),
        ({"num_return_sequences": 2}, ValueError, "Greedy methods without beam search"),
        ({"num_beams": 2, "num_return_sequences": 3}, ValueError, "smaller or equal to"),
        ({"temperature": 0.0, "do_sample": True}, ValueError, "do_sample=False"),
        ({"num_beams": 2, "prompt_lookup_num_tokens": 2}, ValueError, "ask for beam search"),
        ({"attention_mask": np.ones((1, 1, 3, 3))}, ValueError, "must be 2D"),
        ({"input_ids": np.array([[1]])}, ValueError, "alongside `input_ids`"),
        ({"stop_strings": "x"}, ValueError, "tokenizer"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(kwargs, error, message) -> None:
    with pytest.raises(error, match=message):
        tiny_gpt2().generate(np.array([[5, 6, 7]]), **kwargs)


def test_a_model_without_head_says_what_to_load() -> None:
    model = minitransformers.GPT2Model(minitransformers.GPT2Config(n_layer=1, n_embd=8, n_head=1))
    with pytest.raises(TypeError, match=r"GPT2Model.*AutoModelForCausalLM"):
        model.generate(np.array([[1]]))
    with pytest.raises(ValueError, match=r"model.generate\(\*\*encoding\)"):
        tiny_gpt2().generate({"input_ids": np.array([[1]])})
    with pytest.raises(ValueError, match="integers of shape"):
        tiny_gpt2().generate(np.array([1, 2]))


def test_model_generation_config_is_not_changed() -> None:
    model = tiny_gpt2()
    before = model.generation_config.to_dict()
    model.generate(np.array([[5, 6]]), max_new_tokens=3, do_sample=True, top_k=2)
    assert model.generation_config.to_dict() == before


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("kwargs", [{}, {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}])
def test_continuous_batching_equals_each_alone(size, kwargs) -> None:
    model, rng = tiny_gpt2(), np.random.default_rng(0)
    requests = [
        {"input_ids": rng.integers(3, 30, rng.integers(1, 12)), "max_new_tokens": int(n)}
        for n in rng.integers(1, 14, 12)
    ]
    got = minitransformers.generate_batch(model, iter(requests), max_batch_size=size, **kwargs)
    for request, ids in zip(requests, got):
        alone = model.generate(
            request["input_ids"][None], max_new_tokens=request["max_new_tokens"], **kwargs
        )
        np.testing.assert_array_equal(ids, alone[0])


def test_continuous_batching_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="greedy search and sampling only"):
        minitransformers.generate_batch(tiny_gpt2(), [[5, 6]], num_beams=2)


def test_early_exit_drafts_with_the_first_layers() -> None:
    model = tiny_gpt2(eos_token_id=None)
    ids = np.array([[5, 6, 7]])
    np.testing.assert_array_equal(
        model.generate(ids, max_new_tokens=12, assistant_early_exit=1),
        model.generate(ids, max_new_tokens=12),
    )
    with pytest.raises(ValueError, match="from 1 to 2 layers"):
        model.generate(ids, max_new_tokens=12, assistant_early_exit=3)


def test_an_assistant_with_another_tokenizer() -> None:
    name = "minitransformers/tiny-gpt2"
    tokenizer = minitransformers.AutoTokenizer.from_pretrained(name)
    model = minitransformers.AutoModelForCausalLM.from_pretrained(name)
    ids = tokenizer("My lord, I would not have you", return_tensors="np")["input_ids"]
    drafted = model.generate(
        ids, max_new_tokens=12, assistant_model=model, tokenizer=tokenizer,
        assistant_tokenizer=tokenizer,
    )  # fmt: skip
    np.testing.assert_array_equal(drafted, model.generate(ids, max_new_tokens=12))


def test_transition_scores_add_up_to_the_beams_scores() -> None:
    model = tiny_gpt2()
    out = model.generate(
        np.array([[5, 6], [7, 8]]), max_new_tokens=6, num_beams=3, num_return_sequences=2,
        return_dict_in_generate=True, output_scores=True, length_penalty=0.0,
    )  # fmt: skip
    scores = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices)
    np.testing.assert_allclose(scores.sum(-1), out.sequences_scores, rtol=1e-4)
