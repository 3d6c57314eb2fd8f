"""Sentence similarity, by the modules of a sentence-transformers folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import texts
from .base import Params, Pipeline
from .sentence_modules import Normalize, Pooling, SentenceModules, read_modules
from .sentence_transformer import SentenceTransformer
from .similarity import SIMILARITIES, check_similarity

# of a model that is no folder of sentence-transformers
_PLAIN = SentenceModules(steps=(Pooling(), Normalize()))


class SentenceSimilarityPipeline(Pipeline):
    """Compare sentences: `pipe({"source_sentence": "A dog.", "sentences": ["A cat.", "A car."]})`.

    -> the similarities of the source to each sentence, floats; of a list of such inputs, a list of
    them. `pipe.encode(texts)` gives the vectors themselves. Folders of sentence-transformers are
    read with their modules, by `SentenceTransformer`; from other models come the means of the last
    hidden states.

    modules: `SentenceModules`, instead of the folder's
    similarity: "cosine", "dot", "euclidean" or "manhattan", instead of the folder's
    """

    def __init__(self, *args: Any, modules: SentenceModules | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.encoder = SentenceTransformer.of(self.model, self.tokenizer, modules or _PLAIN)

    @classmethod
    def prepare(cls, model: Any, where: dict, kwargs: dict) -> tuple[Any, dict, dict]:
        """Read what a folder says beside its model. -> model, where it is, keywords"""
        if not isinstance(model, str) or "modules" in kwargs:
            return model, where, kwargs
        modules = read_modules(model, where) or _PLAIN
        if modules.subfolder:
            where = where | {"subfolder": modules.subfolder}
        return model, where, kwargs | {"modules": modules}

    def _sanitize_parameters(self, similarity: str | None = None, **unknown: Any) -> Params:
        texts.check_keywords(type(self).__name__, unknown, ("similarity", "batch_size"))
        return {}, {}, {} if similarity is None else {"similarity": check_similarity(similarity)}

    def preprocess(self, inputs: Any) -> dict[str, Any]:
        if not isinstance(inputs, dict) or set(inputs) != {"source_sentence", "sentences"}:
            raise ValueError(
                'sentence-similarity: an input is {"source_sentence": text, "sentences": [texts]}; '
                f"got {inputs!r}"
            )
        sentences = inputs["sentences"]
        if not isinstance(sentences, (list, tuple)) or not sentences:
            raise ValueError(f"`sentences` must be a list of texts, got {sentences!r}")
        return {"texts": [inputs["source_sentence"], *sentences]}

    def _forward(self, model_inputs: Any) -> Any:
        batch = model_inputs["texts"]
        if isinstance(batch[0], list):  # several inputs
            return {"vectors": [self.encode(one) for one in batch]}
        return {"vectors": self.encode(batch)}

    def postprocess(self, model_outputs: Any, similarity: str | None = None) -> list[float]:
        vectors = model_outputs["vectors"]
        name = similarity or self.encoder.similarity_fn_name or "cosine"
        return SIMILARITIES[name][0](vectors[:1], vectors[1:])[0].tolist()

    def encode(self, sentences: list[str], **options: Any) -> np.ndarray:
        """The vectors of sentences; see `SentenceTransformer.encode`. -> (sentences, hidden)"""
        return self.encoder.encode(sentences, **options)
