"""`minitransformers embed`"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from . import common

HELP = "turn texts into vectors"
EXAMPLES = (
    'minitransformers embed "A cat sat." "Ein Hund bellt."',
    "minitransformers embed --output vectors.npy --batch-size 32 < lines.txt",
    'minitransformers embed "A cat sat." --model ./my-model --pooling cls --normalize --json',
)
_DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", help="texts (default: lines of standard input)")
    parser.add_argument("--model", default=_DEFAULT, help="folder or Hub id (default: %(default)s)")
    parser.add_argument(
        *("--pooling",),
        choices=("mean", "cls", "max", "last"),
        help="how tokens become one vector (default: as the model's modules say, else their mean)",
    )
    parser.add_argument("--normalize", action="store_true", help="make vectors of length one")
    parser.add_argument("--batch-size", type=common.positive, default=16, metavar="N")
    parser.add_argument(
        *("-o", "--output"),
        metavar="FILE",
        help="write an array (texts, hidden) as .npy; - is stdout",
    )
    common.add_model_options(parser)


def run(options: argparse.Namespace) -> None:
    import numpy as np

    from ..checkpoints.files import replacing

    if options.output and options.json:
        raise common.UsageError("--output writes .npy and --json prints: give one of them")
    if options.output and options.output != "-":  # before the work, which would be lost
        if os.path.isdir(options.output):
            raise common.UsageError(f"--output names a file, but {options.output} is a folder")
        os.makedirs(os.path.dirname(options.output) or ".", exist_ok=True)
    texts = list(common.read_texts(options.text))
    vectors = np.array(_encoder(options)(texts) if texts else np.empty((0, 0)), np.float32)
    if options.output == "-":
        np.save(sys.stdout.buffer, vectors)
    elif options.output:
        with replacing(options.output) as partial, open(partial, "wb") as file:
            np.save(file, vectors)
    elif options.json:
        for text, vector in zip(texts, vectors):
            common.print_json({"text": text, "embedding": vector.tolist()})
    else:
        for text, vector in zip(texts, vectors):
            print(" ".join(f"{x:.6f}" for x in vector.tolist()), text, sep="\t")


def _encoder(options: argparse.Namespace) -> Callable[[list[str]], Any]:
    """What turns texts into vectors: the model's own modules, or the pooling that is asked for."""
    from ..pipelines import pipeline
    from ..pipelines.sentence_transformer import SentenceTransformer

    how: dict[str, Any] = {"batch_size": options.batch_size}
    if options.pooling or options.gguf_file or options.model.endswith(".gguf"):
        keywords = common.where(options) | common.precision(options)
        model = pipeline("feature-extraction", options.model, model_kwargs=keywords)
        how |= {"pooling": options.pooling or "mean", "normalize": options.normalize}
        return lambda texts: model(texts, **how)
    encoder = SentenceTransformer(
        options.model, revision=options.revision, model_kwargs=common.precision(options)
    )
    how |= {"normalize_embeddings": options.normalize, "show_progress_bar": False}
    return lambda texts: encoder.encode(texts, **how)
