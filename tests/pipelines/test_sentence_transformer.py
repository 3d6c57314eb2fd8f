"""SentenceTransformer against the library of that name: golden/sentences.npz."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server import hub_fixture  # noqa: F401  (pytest finds it here)
from hub_uploads import TOKEN
from sentence_cases import CASES, TEXTS, calls, texts_of, write

from minitransformers import (
    AutoModel,
    AutoTokenizer,
    SentenceTransformer,
    SimilarityFunction,
    cos_sim,
    dot_score,
    pipeline,
    quantize_embeddings,
)
from minitransformers.pipelines.sentence_modules import WeightedLayerPooling

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "sentences.npz")
cases = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def load(folder: Any, tmp_path: Path) -> Any:
    """load(case) is its model."""

    def load(case: str, **more: Any) -> SentenceTransformer:
        checkpoint, _, _, keywords = CASES[case]
        place = tmp_path / "model"
        name = str(place) if place.exists() else write(case, folder(checkpoint), place)
        return SentenceTransformer(name, **keywords | more)

    return load


@cases
def test_vectors(case: str, load: Any) -> None:
    model = load(case)
    texts = texts_of(case)
    for call, options in calls(case).items():
        got, wanted = model.encode(texts, **options), GOLDEN[f"{case}/{call}"]
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        near = 1 if got.dtype.kind in "iu" else 1e-5  # a step, where rounding falls otherwise
        if call in ("binary", "ubinary"):
            near = 0
        np.testing.assert_allclose(got.astype(float), wanted.astype(float), atol=near, rtol=1e-5)
    one = model.encode(texts[1])
    np.testing.assert_allclose(one, GOLDEN[f"{case}/one"], atol=1e-5)
    tokens = np.concatenate(model.encode(texts, output_value="token_embeddings"))
    np.testing.assert_allclose(tokens, GOLDEN[f"{case}/tokens"], atol=1e-5)
    vectors = GOLDEN[f"{case}/plain"]
    got = model.similarity(vectors[:2], vectors)
    np.testing.assert_allclose(got, GOLDEN[f"{case}/similarity"], atol=1e-4)
    pairs = model.similarity_pairwise(vectors[:2], vectors[1:3])
    np.testing.assert_allclose(pairs, GOLDEN[f"{case}/pairs"], atol=1e-4)
    assert model.get_sentence_embedding_dimension() == GOLDEN[f"{case}/width"]
    assert model.get_max_seq_length() == GOLDEN[f"{case}/limit"]


@cases
def test_saving(case: str, load: Any, tmp_path: Path) -> None:
    model = load(case)
    model.save_pretrained(tmp_path / "saved")
    again = SentenceTransformer(tmp_path / "saved", **CASES[case][3])
    texts = texts_of(case)
    np.testing.assert_allclose(again.encode(texts), model.encode(texts), atol=1e-6)
    assert again.prompts == model.prompts


def test_saved_modules_have_what_the_library_makes_them_of(load: Any, tmp_path: Path) -> None:
    load("dense after normalize").save_pretrained(tmp_path / "saved")
    configs = {p.parent.name: json.loads(p.read_text()) for p in tmp_path.glob("saved/*/*.json")}
    assert configs["1_Pooling"] == {
        "word_embedding_dimension": 12,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False,
        "include_prompt": True,
    }
    dense = {"bias": True, "activation_function": "torch.nn.modules.activation.GELU"}
    assert configs["4_Dense"] == dense | {"in_features": 7, "out_features": 4}
    model = SentenceTransformer(tmp_path / "model")
    model.modules = replace(model.modules, steps=(WeightedLayerPooling(1, np.ones(2)),))
    model.save_pretrained(tmp_path / "mixed")
    mixed = json.loads((tmp_path / "mixed" / "1_WeightedLayerPooling" / "config.json").read_text())
    wanted = {"word_embedding_dimension": 12, "num_hidden_layers": 2, "layer_start": 1}
    assert mixed == wanted


@cases
def test_pipelines_use_the_same(case: str, load: Any, tmp_path: Path) -> None:
    model = load(case, truncate_dim=None)
    pipe = pipeline("sentence-similarity", str(tmp_path / "model"))
    texts = texts_of(case)
    vectors = model.encode(texts, normalize_embeddings=case == "no modules")
    np.testing.assert_allclose(pipe.encode(texts), vectors, atol=1e-6)
    scores = pipe({"source_sentence": texts[0], "sentences": texts[1:]})
    np.testing.assert_allclose(scores, model.similarity(vectors[:1], vectors[1:])[0], atol=1e-5)
    if case in ("mix of layers", "short"):  # of which the plain pipeline knows nothing
        return
    features = pipeline("feature-extraction", str(tmp_path / "model"))
    tokens = model.encode([texts[0]], output_value="token_embeddings", prompt="")[0]
    np.testing.assert_allclose(features(texts[0], return_tensors=True)[0], tokens, atol=1e-5)


def test_models_deeper_in_a_folder(load: Any, tmp_path: Path) -> None:
    model = load("in a folder")
    name = str(tmp_path / "model")
    loaded, tokenizer = AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name)
    inputs = tokenizer(TEXTS[:1], return_tensors="np")
    np.testing.assert_array_equal(loaded(**inputs)[0], model.auto_model(**inputs)[0])


def test_inputs_and_outputs(load: Any) -> None:
    model = load("prompts")
    assert model.encode([]).shape == (0, 12)
    assert isinstance(model.encode(TEXTS, convert_to_numpy=False), list)
    assert model.encode(TEXTS, convert_to_tensor=True).shape == (5, 12)
    assert model.encode(np.array(TEXTS)).shape == (5, 12)
    rows = model.encode(TEXTS, output_value=None)
    assert rows[0]["sentence_embedding"].shape == (12,)
    assert rows[0]["token_embeddings"].shape[1] == 12
    bars = model.encode(TEXTS, show_progress_bar=True, batch_size=2)
    np.testing.assert_array_equal(bars, model.encode(TEXTS, batch_size=2))
    model.similarity_fn_name = SimilarityFunction.DOT_PRODUCT
    np.testing.assert_array_equal(model.similarity([1, 2], [[3, 4]]), [[11]])
    assert cos_sim([1, 0], [0, 1]).tolist() == [[0]]
    assert dot_score([[1, 2]], [[3, 4], [5, 6]]).tolist() == [[11, 17]]


def test_wrong_calls_are_named(load: Any, tmp_path: Path) -> None:
    model = load("prompts")
    with pytest.raises(ValueError, match=r"'other' not found.*query.*passage"):
        model.encode(TEXTS, prompt_name="other")
    with pytest.raises(ValueError, match="output_value"):
        model.encode(TEXTS, output_value="tokens")
    with pytest.raises(ValueError, match="precision"):
        model.encode(TEXTS, precision="int4")
    with pytest.raises(ValueError, match="type `str`"):
        model.encode([None])
    with pytest.raises(ValueError, match="Default prompt name"):
        SentenceTransformer(tmp_path / "model", default_prompt_name="other")
    with pytest.raises(ValueError, match="cosine"):
        SentenceTransformer(tmp_path / "model", similarity_fn_name="other").similarity([1], [1])
    with pytest.raises(ValueError, match="float32"):
        quantize_embeddings(np.zeros((1, 2)), "other")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("modules.json", "{", r"modules\.json.*not a JSON file"),
        ("modules.json", "{}", "must hold a list"),
        ("modules.json", "[3]", "must list objects"),
        ("modules.json", '[{"type": "x.CNN", "path": "1_CNN"}]', "x.CNN.*not known"),
        ("modules.json", '[{"type": "x.Dense", "path": "../.."}]', "not a path inside"),
        ("modules.json", '[{"type": "x.Dense", "path": 3}]', "no path"),
        ("1_Pooling/config.json", '{"pooling_mode_mean_tokens": false}', "every mode is false"),
        ("1_Pooling/config.json", '{"pooling_mode": "most"}', "pools by 'most'; the modes are cls"),
        ("1_Pooling/config.json", '{"pooling_mode_cls_token": true}', "takes .* 12 .* given 24"),
        ("2_Dense/config.json", '{"activation_function": "os.system"}', "activation system"),
        ("sentence_bert_config.json", "[]", "must hold a dict"),
    ],
)
def test_files_that_are_not_sound(file: str, content: str, message: str, load: Any, tmp_path: Path):
    load("dense")
    (tmp_path / "model" / file).write_text(content)
    with pytest.raises((ValueError, OSError), match=message):
        SentenceTransformer(tmp_path / "model")


def test_names_on_the_hub(hub: Any, load: Any, tmp_path: Path) -> None:
    load("dense")
    root = tmp_path / "model"
    files = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    hub.add("sentence-transformers/tiny", files)
    vectors = SentenceTransformer("tiny").encode(TEXTS)
    np.testing.assert_allclose(vectors, GOLDEN["dense/plain"], atol=1e-5)
    with pytest.raises(OSError, match="sentence-transformers/other"):
        SentenceTransformer("other")
    assert json.loads(files["modules.json"])[0]["path"] == ""


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_pushing(hub: Any, load: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    model = load("dense")
    address = model.push_to_hub("org/dense", private=True)
    assert hub.repos["org/dense"].private
    assert address == f"{hub.url}/org/dense/commit/{hub.repos['org/dense'].refs['main']}"
    assert hub.log[0]["lines"][0]["value"]["summary"] == "Add new SentenceTransformer model"
    again = SentenceTransformer("org/dense")  # with its modules, which are in folders
    np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))
    with pytest.raises(OSError, match="it exists already; exist_ok=True"):
        model.push_to_hub("org/dense")
    model.push_to_hub("org/dense", exist_ok=True, safe_serialization=False)
    assert "pytorch_model.bin" in hub.files("org/dense")
    model.similarity_fn_name = "dot"
    proposal = model.push_to_hub("org/dense", create_pr=True, commit_message="better")
    assert proposal.endswith("/org/dense/discussions/1")
