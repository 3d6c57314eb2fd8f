"""Write sentences.npz: what sentence-transformers makes of the folders of sentence_cases.py.

Run with torch, transformers 4.46.3 and sentence-transformers 3.3.1, and this library, which writes
the checkpoints.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "pipelines"), str(HERE.parent.parent)]

import numpy as np
import pipeline_models
from sentence_cases import CASES, calls, texts_of, write
from sentence_transformers import SentenceTransformer

logging.disable(logging.WARNING)


def main() -> None:
    arrays = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i, (case, (checkpoint, _, _, keywords)) in enumerate(CASES.items()):
            base = pipeline_models.build(folder / "base", checkpoint)
            model = SentenceTransformer(
                write(case, base, folder / str(i)), device="cpu", **keywords
            )
            texts = texts_of(case)
            for call, options in calls(case).items():
                arrays[f"{case}/{call}"] = model.encode(texts, **options)
            arrays[f"{case}/one"] = model.encode(texts[1])
            tokens = model.encode(texts, output_value="token_embeddings")
            arrays[f"{case}/tokens"] = np.concatenate([x.numpy() for x in tokens])
            vectors = arrays[f"{case}/plain"]
            arrays[f"{case}/similarity"] = model.similarity(vectors[:2], vectors).numpy()
            pairs = model.similarity_pairwise(vectors[:2], vectors[1:3]).numpy()
            arrays[f"{case}/pairs"] = pairs
            arrays[f"{case}/width"] = np.array(model.get_sentence_embedding_dimension())
            arrays[f"{case}/limit"] = np.array(model.max_seq_length)
    np.savez_compressed(HERE / "sentences.npz", **arrays)


if __name__ == "__main__":
    main()
