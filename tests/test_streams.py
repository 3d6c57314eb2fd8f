"""What XLNet and ProphetNet do beside the answers that test_models.py compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import (
    ProphetNetConfig,
    ProphetNetDecoder,
    ProphetNetForCausalLM,
    ProphetNetForConditionalGeneration,
    ProphetNetModel,
    XLNetConfig,
    XLNetForQuestionAnswering,
    XLNetLMHeadModel,
    XLNetModel,
)

IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2]])


def xlnet(kind: Any = XLNetModel, seed: int = 0, **fields: Any) -> Any:
    return fill(kind(XLNetConfig(**(CONFIGS["xlnet"] | fields))), seed)


def test_xlnet_that_looks_back_remembers_all_it_needs() -> None:
    model = xlnet(attn_type="uni")
    mask = np.array([[1] * 6, [0, 0, 1, 1, 1, 1]])
    full = model(IDS, attention_mask=mask).last_hidden_state
    first = model(IDS[:, :4], attention_mask=mask[:, :4])
    # the mask covers what is remembered, or shows all of it
    then = model(IDS[:, 4:], attention_mask=mask, mems=first.mems)
    np.testing.assert_allclose(first.last_hidden_state[mask[:, :4] == 1],
                               full[:, :4][mask[:, :4] == 1], atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(then.last_hidden_state, full[:, 4:], atol=1e-5)
    assert [x.shape for x in then.mems] == [(6, 2, 12)] * 2
    shown = model(IDS[:1, 4:], attention_mask=mask[:1, 4:], mems=[x[:, :1] for x in first.mems])
    np.testing.assert_allclose(shown.last_hidden_state, full[:1, 4:], atol=1e-5)


def test_xlnet_content_does_not_depend_on_what_is_asked() -> None:
    model = xlnet()
    plain = model(IDS, output_hidden_states=True).hidden_states
    asked = model(IDS, target_mapping=np.eye(6)[None, :2].repeat(2, 0), output_hidden_states=True)
    assert asked.last_hidden_state.shape == (2, 2, 12)
    for i, x in enumerate(plain):  # both streams are kept, contents first
        np.testing.assert_array_equal(asked.hidden_states[2 * i], x)


@pytest.mark.parametrize("how", [{}, {"num_beams": 3}, {"use_mems": False}])
@pytest.mark.parametrize("mem_len", [4, None])
def test_xlnet_continues_a_padded_row_as_it_would_alone(how: dict, mem_len: int | None) -> None:
    model = xlnet(XLNetLMHeadModel, seed=3, mem_len=mem_len)
    ids = np.array([[0, 0, 6, 7, 8], [5, 6, 7, 8, 9]])
    together = model.generate(ids, attention_mask=(ids != 0) * 1, max_new_tokens=8, **how)
    alone = model.generate(ids[:1, 2:], max_new_tokens=8, **how)
    assert together[0, 2 : 2 + alone.shape[1]].tolist() == alone[0].tolist()


def test_xlnet_generates_from_what_its_tokenizer_returns() -> None:
    model = xlnet(XLNetLMHeadModel)
    types = np.array([[0, 0, 0, 0, 0, 2]] * 2)
    got = model.generate(input_ids=IDS, token_type_ids=types, max_new_tokens=5)
    assert got.tolist() == model.generate(IDS, max_new_tokens=5).tolist()


def test_xlnet_refuses_what_cannot_work() -> None:
    model, mask = xlnet(), np.ones((2, 6))
    with pytest.raises(ValueError, match="opposite signs"):
        model(IDS, attention_mask=mask, input_mask=mask)
    with pytest.raises(ValueError, match="mems holds 3 arrays, but there are 2 layers"):
        model(IDS, mems=np.zeros((3, 2, 2, 12)))
    with pytest.raises(ValueError, match=r"perm_mask \(batch, 6, 6\)"):
        model(IDS, perm_mask=np.zeros((2, 6, 4)))
    with pytest.raises(ValueError, match="a batch of 1 has no half"):
        xlnet(bi_data=True)(IDS[:1])
    with pytest.raises(ValueError, match="neither 'bi' nor 'uni'"):
        xlnet(attn_type="both")
    with pytest.raises(ValueError, match=r"d_head \(5\) should be d_model / n_head, which is 4"):
        xlnet(d_head=5)
    with pytest.raises(ValueError, match="a multiple of n_head"):
        xlnet(n_head=5)
    model = xlnet(XLNetLMHeadModel)
    with pytest.raises(ValueError, match="cannot do contrastive decoding"):
        model.generate(IDS, penalty_alpha=0.6, top_k=4)
    with pytest.raises(ValueError, match="cannot do assisted decoding"):
        model.generate(IDS[:1], prompt_lookup_num_tokens=2)
    with pytest.raises(ValueError, match="XLNet continues input_ids"):
        model.generate(inputs_embeds=np.zeros((1, 3, 12)), max_new_tokens=3)


def test_xlnet_use_cache_is_the_old_name_of_use_mems() -> None:
    assert XLNetConfig(use_cache=False).use_mems_eval is False
    assert "mems" in xlnet()(IDS)
    assert "mems" not in xlnet()(IDS, use_cache=False)
    assert "mems" not in xlnet().train()(IDS)
    assert "mems" in xlnet(use_mems_train=True).train()(IDS)


def test_xlnet_finds_answers_in_short_texts() -> None:
    out = xlnet(XLNetForQuestionAnswering, start_n_top=5, end_n_top=5)(IDS[:, :3])
    assert out.start_top_index.shape == (2, 3)
    assert out.end_top_index.shape == (2, 9)
    assert "loss" not in out


def test_xlnet_probabilities_of_answers_are_a_beam() -> None:
    model = xlnet(XLNetForQuestionAnswering, start_n_top=6, end_n_top=6)
    p_mask = np.zeros((2, 6))
    p_mask[:, -1] = 1.0
    out = model(IDS, p_mask=p_mask)
    starts, ends = out.start_top_log_probs, out.end_top_log_probs.reshape(2, 6, 6)
    np.testing.assert_allclose(starts.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(ends.sum(1), 1, atol=1e-6)  # of each start
    assert (np.diff(starts) <= 0).all()
    assert (np.diff(ends, axis=1) <= 0).all()
    assert (starts[:, -1] == 0).all()
    assert (out.start_top_index[:, -1] == 5).all()


@pytest.mark.parametrize("task", ["CausalLM", "PreTraining"])
def test_auto_classes_know_xlnet(task: str) -> None:
    config = XLNetConfig(**CONFIGS["xlnet"])
    auto = getattr(minitransformers, f"AutoModelFor{task}")
    assert type(auto.from_config(config)) is XLNetLMHeadModel


def tokenizer(**options: Any) -> Any:
    return minitransformers.PreTrainedTokenizerFast(
        tokenizer_file=str(Path(__file__).parent / "golden/pipelines_unigram.json"),
        pad_token="<pad>", model_input_names=["input_ids", "attention_mask"], **options,
    )  # fmt: skip


def test_xlnet_in_a_pipeline_answers_a_batch_as_each_alone() -> None:
    cut = tokenizer()
    model = xlnet(minitransformers.XLNetForSequenceClassification, vocab_size=len(cut))
    pipe = minitransformers.pipeline("text-classification", model=model, tokenizer=cut)
    texts = ["a", "a long text, longer than the other one", "some text"]
    together, alone = pipe(texts, batch_size=3), pipe(texts, batch_size=1)
    assert [x["label"] for x in together] == [x["label"] for x in alone]
    got, wanted = ([x["score"] for x in results] for results in (together, alone))
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def prophetnet(kind: Any = ProphetNetForConditionalGeneration, seed: int = 0, **fields: Any) -> Any:
    return fill(kind(ProphetNetConfig(**(CONFIGS["prophetnet"] | fields))), seed)


@pytest.mark.parametrize("kind", [ProphetNetForConditionalGeneration, ProphetNetForCausalLM])
@pytest.mark.parametrize("chunks", [(2, 3), (5,), (4, 1)])
def test_prophetnet_goes_on_alike_at_every_chunking(kind: Any, chunks: tuple) -> None:
    model = prophetnet(kind)

    def run(*chunks: int) -> np.ndarray:
        past, at, got = None, 0, []
        for n in chunks:
            new = {"input_ids": IDS[:, at : at + n]}
            if kind is ProphetNetForConditionalGeneration:
                new = {"input_ids": IDS, "decoder_input_ids": new["input_ids"]}
            out = model(**new, past_key_values=past)
            past, at = out.past_key_values, at + n
            got.append(out.logits)
        return np.concatenate(got, axis=1)

    np.testing.assert_allclose(run(1, *chunks), run(1, 1, 1, 1, 1, 1), atol=1e-5)


@pytest.mark.parametrize("chunks", [(1, 1, 1), (3,)])
def test_prophetnet_remembers_what_is_padding(chunks: tuple) -> None:
    model = prophetnet(ProphetNetDecoder)
    mask = np.array([[0, 0, 1, 1, 1, 1], [1] * 6])
    full = model(IDS, attention_mask=mask).last_hidden_state
    past, at = model(IDS[:, :3], attention_mask=mask[:, :3]).past_key_values, 3
    for n in chunks:
        new = {"input_ids": IDS[:, at : at + n], "attention_mask": mask[:, : at + n]}
        out = model(**new, past_key_values=past)
        np.testing.assert_allclose(out.last_hidden_state, full[:, at : at + n], atol=1e-5)
        past, at = out.past_key_values, at + n


def test_prophetnet_drafts_are_checked_as_if_decoded_one_by_one() -> None:
    model = prophetnet(seed=1)
    greedy = model.generate(IDS[:1], max_new_tokens=12)
    drafted = model.generate(IDS[:1], max_new_tokens=12, assistant_model=prophetnet(seed=1))
    assert drafted.tolist() == greedy.tolist()


def test_prophetnet_loss_is_the_mean_of_its_streams() -> None:
    model, labels = prophetnet(ngram=3), np.where(IDS == 13, -100, IDS)
    out = model(IDS, labels=labels)
    logits = np.concatenate([out.logits[:, None], out.logits_ngram], axis=1)
    assert logits.shape == (2, 3, 6, 37)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    picked = np.take_along_axis(p, np.maximum(labels, 0)[:, None, :, None].repeat(3, 1), -1)[..., 0]
    expected = -np.log(picked)[(labels != -100)[:, None].repeat(3, 1)].mean()
    assert float(out.loss) == pytest.approx(expected, rel=1e-5)
    model.config.disable_ngram_loss = True
    first = -np.log(picked[:, 0])[labels != -100].mean()
    assert float(model(IDS, labels=labels).loss) == pytest.approx(first, rel=1e-5)
    assert "past_key_values" in out


def test_prophetnet_refuses_what_cannot_work() -> None:
    model = prophetnet(ProphetNetModel)
    with pytest.raises(ValueError, match=r"masks of shape \(batch, 3\), not \(2, 3, 3\)"):
        model(IDS, decoder_input_ids=IDS[:, :3], decoder_attention_mask=np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match=r"either decoder_input_ids or decoder_inputs_embeds"):
        model(IDS)
    with pytest.raises(ValueError, match="short enough for its positions"):
        model(IDS, decoder_input_ids=np.full((2, 24), 3))
    with pytest.raises(NotImplementedError, match="num_encoder_layers and num_decoder_layers"):
        prophetnet(num_hidden_layers=3)
    assert model.config.num_hidden_layers == 5


def test_prophetnet_shares_its_table() -> None:
    model = prophetnet()
    table = model.get_input_embeddings().weight
    inner = model.prophetnet
    assert all(
        part.word_embeddings.weight is table for part in (inner, inner.encoder, inner.decoder)
    )
    assert model.lm_head.weight is table
    untied = prophetnet(tie_word_embeddings=False)
    assert untied.lm_head.weight is not untied.get_input_embeddings().weight
