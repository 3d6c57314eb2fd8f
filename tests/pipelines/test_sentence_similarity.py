"""Folders of sentence-transformers."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from minitransformers import pipeline

SENTENCES = ["The quick brown fox", "Paris is the capital of France.", "My name is Clara"]
GREATEST = {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}
INPUT = {"source_sentence": "The lazy dog", "sentences": SENTENCES}


@pytest.fixture
def sentence_model(folder, tmp_path):
    """A checkpoint with modules: pooling by mean and first token, a dense layer, normalisation."""
    place = tmp_path / "model"
    shutil.copytree(folder("bert"), place)

    def write(modes: dict, normalize: bool = True, similarity: str | None = None) -> str:
        kinds = ["Transformer", "Pooling", "Dense"] + ["Normalize"] * normalize
        paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(zip(kinds, paths))
        ]
        files = {
            "modules.json": modules,
            "sentence_bert_config.json": {"max_seq_length": 8, "do_lower_case": False},
            "config_sentence_transformers.json": {"similarity_fn_name": similarity},
            "1_Pooling/config.json": {"word_embedding_dimension": 12, **modes},
            "2_Dense/config.json": {
                "in_features": 12 * sum(modes.values()), "out_features": 5, "bias": True,
                "activation_function": "torch.nn.modules.activation.Tanh",
            },
        }  # fmt: skip
        for name, content in files.items():
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text(json.dumps(content))
        rng = np.random.RandomState(0)
        weight = rng.standard_normal((5, 12 * sum(modes.values()))).astype(np.float32)
        bias = rng.standard_normal(5).astype(np.float32)
        layer = {"linear.weight": weight, "linear.bias": bias}
        save_file(layer, place / "2_Dense" / "model.safetensors")
        return str(place)

    return write


def test_the_modules_of_a_folder(sentence_model):
    modes = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    name = sentence_model(modes)
    pipe = pipeline("sentence-similarity", name)
    features = pipeline("feature-extraction", name)
    cut = {"truncation": True, "tokenize_kwargs": {"max_length": 8}, "return_tensors": True}
    both = np.concatenate([features(SENTENCES[0], pooling=how, **cut) for how in ("cls", "mean")])
    rng = np.random.RandomState(0)
    wanted = np.tanh(rng.standard_normal((5, 24)) @ both + rng.standard_normal(5))
    vectors = pipe.encode(SENTENCES)
    np.testing.assert_allclose(vectors[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    assert vectors.dtype == np.float32
    scores = pipe(INPUT)
    source = pipe.encode([INPUT["source_sentence"]])[0]
    np.testing.assert_allclose(scores, vectors @ source, atol=1e-5)
    assert all(type(score) is float for score in scores)
    several = pipe([INPUT, INPUT], batch_size=2)
    np.testing.assert_allclose(several, [scores, scores], atol=1e-5)


def test_similarities(sentence_model):
    name = sentence_model(GREATEST, normalize=False, similarity="dot")
    pipe = pipeline("sentence-similarity", name)
    vectors = pipe.encode([INPUT["source_sentence"], *SENTENCES])
    distances = np.linalg.norm(vectors[1:] - vectors[0], axis=1)
    np.testing.assert_allclose(pipe(INPUT), vectors[1:] @ vectors[0], rtol=1e-4)
    np.testing.assert_allclose(pipe(INPUT, similarity="euclidean"), -distances, rtol=1e-4)
    with pytest.raises(ValueError, match="cosine, dot"):
        pipe(INPUT, similarity="other")


def test_a_plain_model_is_pooled_by_mean(make):
    pipe, features = make("sentence-similarity", "bert"), make("feature-extraction", "bert")
    wanted = features(SENTENCES[0], pooling="mean", normalize=True)
    np.testing.assert_allclose(pipe.encode(SENTENCES)[0], wanted, atol=1e-5)


@pytest.mark.parametrize("inputs", ["text", {"source_sentence": "a"}, INPUT | {"sentences": []}])
def test_wrong_inputs_are_named(make, inputs):
    with pytest.raises(ValueError, match="sentence"):
        make("sentence-similarity", "bert")(inputs)
