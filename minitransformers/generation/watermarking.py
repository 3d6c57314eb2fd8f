"""Watermarks: tokens that a secret key calls green are made likelier, and can be counted later.

"A Watermark for Large Language Models", arXiv 2301.10226, and "On the Reliability of Watermarks",
arXiv 2306.04634. Green lists are the beginnings of torch's random permutations, so that texts of
either library are detected by the other.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.random import Generator
from ..logging import warning_once
from .logits import LogitsProcessor

_CANDIDATES = 40  # that selfhash looks at in a step
_TABLE_SIZE = 1_000_003


class BaseWatermarkingConfig:
    """What both kinds of watermark configurations can do. Subclasses are dataclasses."""

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """From a dictionary of parameters; keywords override it."""
        config = cls(**config_dict)
        config.update(**kwargs)
        return config

    def update(self, **kwargs: Any) -> None:
        """Set the parameters among the keywords."""
        for name, value in kwargs.items():
            if hasattr(self, name):
                setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def to_json_string(self) -> str:
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike) -> None:
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.to_dict().items())

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"

    def validate(self) -> None:
        """Raise ValueError for parameters that cannot work."""
        raise NotImplementedError

    def construct_processor(self, vocab_size: int, device: Any = None) -> LogitsProcessor:
        """The processor that makes such watermarks."""
        raise NotImplementedError


@dataclasses.dataclass(repr=False)
class WatermarkingConfig(BaseWatermarkingConfig):
    """How to mark a text by its green tokens.

    greenlist_ratio: share of the vocabulary that is green; bias: added to the scores of these
    hashing_key: the secret; seeding_scheme: which tokens are green depends on the previous token
    ("lefthash"), or on the candidate and the context_width - 1 tokens before it ("selfhash")
    """

    greenlist_ratio: float = 0.25
    bias: float = 2.0
    hashing_key: int = 15485863  # the millionth prime
    seeding_scheme: str = "lefthash"
    context_width: int = 1

    def validate(self) -> None:
        for name, right, expected in (
            ("seeding_scheme", self.seeding_scheme in _SCHEMES, f"one of {_SCHEMES}"),
            ("greenlist_ratio", 0.0 <= self.greenlist_ratio <= 1.0, "between 0.0 and 1.0"),
            ("context_width", self.context_width >= 1, "a positive integer"),
        ):
            if not right:
                raise ValueError(
                    f"`{name}` of `watermarking_config` should be {expected}, but is "
                    f"{getattr(self, name)!r}"
                )

    def construct_processor(self, vocab_size: int, device: Any = None) -> WatermarkLogitsProcessor:
        return WatermarkLogitsProcessor(vocab_size, device, **self.to_dict())


_SCHEMES = ("selfhash", "lefthash")


class WatermarkLogitsProcessor(LogitsProcessor):
    """Make green tokens likelier. See `WatermarkingConfig` for the parameters."""

    def __init__(
        self,
        vocab_size: int,
        device: Any = None,
        greenlist_ratio: float = 0.25,
        bias: float = 2.0,
        hashing_key: int = 15485863,
        seeding_scheme: str = "lefthash",
        context_width: int = 1,
    ):
        if seeding_scheme not in _SCHEMES:
            raise ValueError(
                f"`seeding_scheme` has to be one of {_SCHEMES}, not {seeding_scheme!r}"
            )
        if not 0.0 < greenlist_ratio < 1.0:
            raise ValueError(
                "`greenlist_ratio` has be in range between 0.0 and 1.0, exclusively, but is "
                f"{greenlist_ratio}"
            )
        self.vocab_size, self.bias, self.hash_key = vocab_size, bias, hashing_key
        self.greenlist_size = int(vocab_size * greenlist_ratio)
        self.seeding_scheme, self.context_width = seeding_scheme, context_width
        self._generator = Generator(0)

    def __call__(self, input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        if input_ids.shape[1] < self.context_width:
            warning_once(
                f"A watermark of `context_width` {self.context_width} begins only when the text "
                f"has as many tokens; it has {input_ids.shape[1]}."
            )
            return scores
        out = scores.copy()
        for row, ids in enumerate(input_ids):
            if self.seeding_scheme == "selfhash":
                green = self._green_candidates(ids, scores[row])
            else:
                green = self.greenlist(self.seeds(ids[None, -1:])[0])
            out[row, green] += np.float32(self.bias)
        return out

    def seeds(self, contexts: np.ndarray) -> list[int]:
        """What the green list behind each context is drawn with. contexts: (n, tokens)"""
        if self.seeding_scheme == "lefthash":
            return [self.hash_key * last for last in contexts[:, -1].tolist()]
        hashed = _fixed_table(self.hash_key)[contexts % _TABLE_SIZE] + 1
        # products wrap around in 64 bits
        return (np.int64(self.hash_key) * hashed * hashed[:, -1:]).min(1).tolist()

    def _green_candidates(self, ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The most likely tokens that are green in a text that they end. ids: (length,)"""
        candidates = np.argsort(-scores, kind="stable")[:_CANDIDATES]
        before = ids[len(ids) - self.context_width + 1 :]
        contexts = np.column_stack([np.tile(before, (len(candidates), 1)), candidates])
        seeds = self.seeds(contexts)
        green = [self.is_green(seed, token) for seed, token in zip(seeds, candidates.tolist())]
        return candidates[green]

    def _swaps(self, seed: int) -> np.ndarray:
        """The permutation swaps entry i with entry swaps[i], i = 0, 1, ... -> (greenlist size,)"""
        words = self._generator.manual_seed(seed % (2**64 - 1)).words(self.greenlist_size)
        step = np.arange(self.greenlist_size, dtype=np.uint32)
        return (step + words % (np.uint32(self.vocab_size) - step)).astype(np.int64)

    def greenlist(self, seed: int) -> np.ndarray:
        """The green tokens, in no order. -> (n,), n being the greenlist's size

        The first entries of a Fisher-Yates shuffle without the shuffle: each swap draws the token
        of its own place, unless an earlier swap drew there already and left another token.
        """
        swaps = self._swaps(seed)
        steps = np.arange(len(swaps))
        latest = np.full(self.vocab_size, -1)  # the last step that drew from a place
        latest[swaps] = steps
        green = np.zeros(self.vocab_size, bool)
        green[swaps] = True
        left = steps[latest[swaps] != steps]  # left their token where a later step draws again
        while left.size:
            earlier = latest[left]  # such a token may have been left there itself
            green[left[earlier < 0]] = True
            left = earlier[earlier >= 0]
        return green.nonzero()[0]

    def is_green(self, seed: int, token: int) -> bool:
        """Whether a token is in the green list: follow its place through the swaps."""
        swaps = self._swaps(seed)
        place, step = token, 0
        while True:
            drawn = (swaps[step : place + 1] == place).nonzero()[0]  # later swaps do not reach it
            if drawn.size:
                return True
            if place >= len(swaps):
                return False
            place, step = int(swaps[place]), place + 1


@functools.lru_cache(maxsize=4)
def _fixed_table(key: int) -> np.ndarray:
    """A hash of numbers below its length, drawn once for a key."""
    return Generator(key).randperm(_TABLE_SIZE)


@dataclasses.dataclass
class WatermarkDetectorOutput:
    """What a detector found: arrays (texts,), one number for each text.

    z_score: standard deviations by which the green tokens are more than without a watermark
    """

    num_tokens_scored: np.ndarray
    num_green_tokens: np.ndarray
    green_fraction: np.ndarray
    z_score: np.ndarray
    p_value: np.ndarray | None = None
    prediction: np.ndarray | None = None
    confidence: np.ndarray | None = None


class WatermarkDetector:
    """Tell texts with a watermark from others, given what it was made with.

    model_config: tells the size of the vocabulary and the token that texts begin with
    watermarking_config: a WatermarkingConfig, or a dictionary of its parameters
    ignore_repeated_ngrams: count each sequence of tokens once
    """

    def __init__(
        self,
        model_config: Any,
        device: Any,
        watermarking_config: WatermarkingConfig | dict[str, Any],
        ignore_repeated_ngrams: bool = False,
        max_cache_size: int = 128,
    ):
        parameters = dict(watermarking_config)
        encoder = model_config.is_encoder_decoder
        self.bos_token_id = (
            model_config.decoder_start_token_id if encoder else model_config.bos_token_id
        )
        self.greenlist_ratio = parameters["greenlist_ratio"]
        self.ignore_repeated_ngrams = ignore_repeated_ngrams
        self.processor = WatermarkLogitsProcessor(model_config.vocab_size, device, **parameters)
        self._is_green = functools.lru_cache(max_cache_size)(self.processor.is_green)

    def __call__(
        self, input_ids: np.ndarray, z_threshold: float = 3.0, return_dict: bool = False
    ) -> Any:
        """input_ids: (texts, length), better without the prompt

        -> (texts,) bool, or with return_dict a `WatermarkDetectorOutput`
        Raises ValueError for texts too short to have a green token.
        """
        ids = np.asarray(input_ids)
        if ids[0, 0] == self.bos_token_id:
            ids = ids[:, 1:]
        if ids.shape[1] <= self.processor.context_width:
            raise ValueError(
                f"a text needs {self.processor.context_width + 1} tokens for a watermark of "
                f"`context_width` {self.processor.context_width}, but has {ids.shape[1]}"
            )
        scored, green = np.array([self._count(text) for text in ids], np.float64).T
        ratio = self.greenlist_ratio
        z = (green - ratio * scored) / np.sqrt(scored * ratio * (1 - ratio))
        prediction = z > z_threshold
        if not return_dict:
            return prediction
        # Polya's approximation of the normal distribution
        p = 1 - 0.5 * (1 + np.sign(z) * (1 - np.exp(-2 * z**2 / np.pi)))
        return WatermarkDetectorOutput(scored, green, green / scored, z, p, prediction, 1 - p)

    def _count(self, ids: np.ndarray) -> tuple[int, int]:
        """How many tokens of a text could be green, and how many are. ids: (length,)"""
        own = self.processor.seeding_scheme == "selfhash"  # the token itself is in the context
        size = self.processor.context_width + 1 - own
        grams, times = np.unique(
            np.lib.stride_tricks.sliding_window_view(ids, size), axis=0, return_counts=True
        )
        if self.ignore_repeated_ngrams:
            times = np.ones_like(times)
        seeds = self.processor.seeds(grams if own else grams[:, :-1])
        green = [self._is_green(seed, token) for seed, token in zip(seeds, grams[:, -1].tolist())]
        return int(times.sum()), int(times[green].sum())
