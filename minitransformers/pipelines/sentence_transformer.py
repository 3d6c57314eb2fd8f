"""SentenceTransformer: vectors of sentences, from the folders of the library of that name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import hub
from ..device import check_device
from ..logging import get_logger
from ..models import auto
from ..sharing import Shareable
from ..tokenization import AutoTokenizer
from ..tokenization.strategies import VERY_LARGE_INTEGER
from . import texts
from .pooling import unit
from .quantize import quantize_embeddings
from .sentence_modules import SentenceModules, read_modules, write_modules
from .similarity import SIMILARITIES, check_similarity

_logger = get_logger(__name__)


class SentenceTransformer(Shareable):
    """Make vectors of sentences: `SentenceTransformer(name).encode(["A text.", "Another."])`.

    model_name_or_path: a folder or Hub repo of sentence-transformers (one without an organisation
        is looked for there), or any model, of whose last hidden states the mean is taken
    prompts, default_prompt_name, similarity_fn_name: instead of the folder's
    truncate_dim: keep as many elements of each vector
    cache_folder, revision, local_files_only, token: where from
    model_kwargs, tokenizer_kwargs, config_kwargs: for the from_pretrained of each
    device, backend: the CPU and NumPy, by any name of the CPU and "torch"
    Raises OSError if files cannot be had, ValueError for modules that are not known.
    """

    saving_options = ("safe_serialization",)
    prompts: dict[str, str]
    default_prompt_name: str | None
    similarity_fn_name: str | None
    truncate_dim: int | None
    max_seq_length: int | None  # tokens of a sentence that are read; None for all

    def __init__(
        self,
        model_name_or_path: str | os.PathLike,
        modules: Any = None,
        device: Any = None,
        prompts: dict[str, str] | None = None,
        default_prompt_name: str | None = None,
        similarity_fn_name: str | None = None,
        cache_folder: str | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        use_auth_token: str | bool | None = None,
        truncate_dim: int | None = None,
        model_kwargs: dict[str, Any] | None = None,
        tokenizer_kwargs: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        model_card_data: Any = None,
        backend: str = "torch",
    ):
        if modules is not None:
            raise ValueError("a SentenceTransformer is loaded by name: leave `modules` out")
        if trust_remote_code:
            raise ValueError(
                "trust_remote_code=True is refused: code from a repo is never executed"
            )
        check_device(device)
        name = _name(os.fspath(model_name_or_path))
        where = {
            "cache_dir": cache_folder or os.environ.get("SENTENCE_TRANSFORMERS_HOME"),
            "revision": revision,
            "local_files_only": local_files_only or None,
            "token": use_auth_token if token is None else token,
        }
        where = {key: value for key, value in where.items() if value is not None}
        found = read_modules(name, where)
        if found is None:
            _logger.info(f"{name} has no modules.json: sentences are means of their tokens")
        found = found or SentenceModules()
        if found.subfolder:
            where["subfolder"] = found.subfolder
        config = auto.AutoConfig.from_pretrained(name, **where, **(config_kwargs or {}))
        chosen = auto.AutoModelForTextEncoding if config.is_encoder_decoder else auto.AutoModel
        model = chosen.from_pretrained(name, config=config, **where, **(model_kwargs or {}))
        options = where | (tokenizer_kwargs or {})
        if found.max_length is not None:
            options.setdefault("model_max_length", found.max_length)
        self._set(model, AutoTokenizer.from_pretrained(name, **options), found, truncate_dim)
        self.prompts = prompts or self.prompts
        self.default_prompt_name = default_prompt_name or self.default_prompt_name
        if self.default_prompt_name not in (None, *self.prompts):
            raise ValueError(
                f"Default prompt name '{self.default_prompt_name}' not found in the configured "
                f"prompts dictionary with keys {list(self.prompts)!r}."
            )
        self.similarity_fn_name = similarity_fn_name or found.similarity

    @classmethod
    def of(cls, model: Any, tokenizer: Any, modules: SentenceModules) -> SentenceTransformer:
        """One of parts that are loaded already."""
        self = object.__new__(cls)
        self._set(model, tokenizer, modules)
        return self

    def _set(
        self, model: Any, tokenizer: Any, modules: SentenceModules, truncate_dim: int | None = None
    ) -> None:
        self.auto_model, self.tokenizer, self.modules = model, tokenizer, modules
        self.prompts = dict(modules.prompts)
        self.default_prompt_name = modules.default_prompt_name
        self.similarity_fn_name = modules.similarity
        self.truncate_dim = truncate_dim
        try:
            self._width()
        except ValueError as error:
            raise ValueError(
                f"{model.name_or_path}: its modules do not fit each other: {error}"
            ) from error
        limits = [modules.max_length, tokenizer.model_max_length, texts.longest_input(model)]
        known = [limit for limit in limits if limit and 0 < limit < VERY_LARGE_INTEGER]
        self.max_seq_length = min(known, default=None)

    # encoding

    def encode(
        self,
        sentences: str | Sequence[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
    ) -> Any:
        """Make the vectors of sentences.

        prompt: put before each sentence, or the one of that name in `prompts`
        output_value: "sentence_embedding"; "token_embeddings" gives a list of arrays (tokens,
            hidden), None a list of everything that is known of each sentence
        precision: "float32", or "int8", "uint8", "binary" or "ubinary"; see `quantize_embeddings`
        convert_to_numpy: give one array, not a list; convert_to_tensor: the same
        normalize_embeddings: make the vectors of length one
        -> (sentences, hidden) float32; of a single text (hidden,)
        """
        check_device(device)
        if output_value not in ("sentence_embedding", "token_embeddings", None):
            raise ValueError(
                'output_value must be "sentence_embedding", "token_embeddings" or None, not '
                f"{output_value!r}"
            )
        if isinstance(sentences, str):
            one = self.encode(
                [sentences], prompt_name, prompt, batch_size, show_progress_bar, output_value,
                precision, convert_to_numpy, convert_to_tensor, device, normalize_embeddings,
            )  # fmt: skip
            return one[0]
        prompt = self._prompt(prompt_name, prompt)
        all_texts = [f"{prompt or ''}{texts.check_text('encode', text)}" for text in sentences]
        known = {}
        if prompt is not None:  # of its own tokens the last one ends a text
            known["prompt_length"] = self.tokenize([prompt])["input_ids"].shape[-1] - 1
        found: list[Any] = [None] * len(all_texts)
        order = sorted(range(len(all_texts)), key=lambda i: -len(all_texts[i]))
        for first in _progress(range(0, len(order), batch_size), show_progress_bar):
            chosen = order[first : first + batch_size]
            features = self.forward(self.tokenize([all_texts[i] for i in chosen]) | known)
            rows = self._rows(features, output_value, normalize_embeddings)
            for i, row in zip(chosen, rows, strict=True):
                found[i] = row
        if output_value != "sentence_embedding":
            return found
        vectors = np.stack(found) if found else np.zeros((0, self._width()), np.float32)
        vectors = quantize_embeddings(vectors, precision)
        return vectors if convert_to_numpy or convert_to_tensor else list(vectors)

    def _prompt(self, name: str | None, prompt: str | None) -> str | None:
        if prompt is not None:
            return prompt
        if name is None:
            return self.prompts.get(self.default_prompt_name or "")
        if name not in self.prompts:
            raise ValueError(
                f"Prompt name '{name}' not found in the configured prompts dictionary with keys "
                f"{list(self.prompts)!r}."
            )
        return self.prompts[name]

    def tokenize(self, sentences: Sequence[str]) -> dict[str, np.ndarray]:
        """-> the transformer's inputs, (sentences, seq)"""
        stripped = [text.strip() for text in sentences]
        if self.modules.lower:
            stripped = [text.lower() for text in stripped]
        return dict(
            self.tokenizer(
                stripped,
                padding=True,
                truncation=self.max_seq_length is not None,
                max_length=self.max_seq_length,
                return_tensors="np",
            )
        )

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Run the transformer and the modules. features: of `tokenize` -> with what they add"""
        layers = any(step.kind == "WeightedLayerPooling" for step in self.modules.steps)
        more = {"output_hidden_states": True} if layers else {}
        output = texts.run_model(self.auto_model, features | more)
        features = dict(features, token_embeddings=output[0])
        if layers:
            features["all_layer_embeddings"] = output.hidden_states
        for step in self.modules.steps:
            step(features)
        vectors = features["sentence_embedding"]
        features["sentence_embedding"] = vectors[..., : self.truncate_dim]
        return features

    def _rows(self, features: dict[str, Any], output_value: str | None, normalize: bool) -> Any:
        vectors = features["sentence_embedding"]
        if output_value == "sentence_embedding":
            return unit(vectors) if normalize else vectors
        if output_value is None:
            parts = {k: v for k, v in features.items() if isinstance(v, np.ndarray)}
            return [{k: v[i] for k, v in parts.items()} for i in range(len(vectors))]
        mask = features["attention_mask"]
        ends = mask.shape[1] - mask[:, ::-1].argmax(axis=1)
        return [x[:end] for x, end in zip(features["token_embeddings"], ends)]

    # comparing

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """How alike vectors are. (n, hidden) and (m, hidden) -> (n, m)"""
        return self._similarities()[0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """How alike vectors are, in pairs. (n, hidden) and (n, hidden) -> (n,)"""
        return self._similarities()[1](embeddings1, embeddings2)

    def _similarities(self) -> Any:
        return SIMILARITIES[check_similarity(self.similarity_fn_name or "cosine")]

    # facts, saving

    def get_sentence_embedding_dimension(self) -> int:
        """Elements of a vector."""
        width = self._width()
        return width if self.truncate_dim is None else min(width, self.truncate_dim)

    def _width(self) -> int:
        width = self.auto_model.config.hidden_size
        for step in self.modules.steps:
            width = step.width(width)
        return width

    def get_max_seq_length(self) -> int | None:
        """Tokens of a sentence that are read; None for all."""
        return self.max_seq_length

    @property
    def device(self) -> str:
        return "cpu"

    def eval(self) -> SentenceTransformer:
        return self

    def to(self, device: Any = None) -> SentenceTransformer:
        """Accepts the CPU. -> self"""
        check_device(device)
        return self

    def save_pretrained(  # type: ignore[override]  # as sentence-transformers has it
        self,
        path: str | os.PathLike,
        model_name: str | None = None,
        create_model_card: bool = True,
        train_datasets: list[str] | None = None,
        safe_serialization: bool = True,
    ) -> None:
        """Write a folder that sentence-transformers reads too.

        safe_serialization: False writes pytorch_model.bin
        model_name, create_model_card, train_datasets: accepted; `push_to_hub` writes the card
        """
        folder = os.fspath(path)
        self.auto_model.save_pretrained(folder, safe_serialization=safe_serialization)
        self.tokenizer.save_pretrained(folder)
        modules = replace(
            self.modules,
            max_length=self.max_seq_length,
            prompts=self.prompts,
            default_prompt_name=self.default_prompt_name,
            similarity=self.similarity_fn_name,
        )
        write_modules(folder, modules, self.auto_model.config.hidden_size)

    def push_to_hub(  # type: ignore[override]  # as sentence-transformers has it
        self,
        repo_id: str,
        token: str | bool | None = None,
        private: bool | None = None,
        safe_serialization: bool = True,
        commit_message: str | None = None,
        exist_ok: bool = False,
        revision: str | None = None,
        create_pr: bool = False,
        **kwargs: Any,
    ) -> str:
        """Save it and upload the files to a repository of the Hub, made if there is none.

        exist_ok: write into a repository that exists; a pull request always may
        other keywords: those of a model's `push_to_hub`
        -> the address of the commit or pull request. Raises HubError saying why it was not possible
        """
        done = super().push_to_hub(
            repo_id,
            use_temp_dir=True,
            commit_message=commit_message or "Add new SentenceTransformer model",
            private=private,
            token=token,
            safe_serialization=safe_serialization,
            revision=revision,
            create_pr=create_pr,
            exist_ok=exist_ok or create_pr,
            **kwargs,
        )
        return done.pr_url or done.commit_url

    def superseded(self, files: Iterable[str], written: Iterable[str]) -> list[str]:
        return self.auto_model.superseded(files, written)

    def card_tags(self) -> list[str]:
        return ["sentence-transformers", "sentence-similarity"]

    save = save_pretrained
    __call__ = encode

    def __repr__(self) -> str:
        steps = ", ".join(repr(step.kind) for step in self.modules.steps)
        return f"SentenceTransformer({type(self.auto_model).__name__}, {steps})"


def _name(name: str) -> str:
    """The repo of a name: those without an organisation are sentence-transformers' own."""
    if os.path.isdir(name) or "/" in name or hub.is_bare_name(name):
        return name
    return f"sentence-transformers/{name}"


def _progress(batches: range, show: bool | None) -> Any:
    if not show:
        return batches
    from tqdm.auto import tqdm

    return tqdm(batches, desc="Batches")
