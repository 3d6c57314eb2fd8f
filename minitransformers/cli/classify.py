"""`minitransformers classify`"""

from __future__ import annotations

import argparse

from . import common

HELP = "label texts"
EXAMPLES = (
    'minitransformers classify "What a lovely day!" --model org/name',
    "minitransformers classify --json < lines.txt",
    'minitransformers classify "The match went into overtime" --labels sport,politics,music',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", help="texts (default: lines of standard input)")
    parser.add_argument("--model", help="folder or Hub id (default: the task's)")
    parser.add_argument(
        "--top-k", type=common.positive, default=1, help="labels a text", metavar="N"
    )
    parser.add_argument(
        "--labels", help="labels of your own, between commas, for a model of inference (zero-shot)"
    )
    common.add_model_options(parser)


def run(options: argparse.Namespace) -> None:
    from ..pipelines import pipeline

    task = "zero-shot-classification" if options.labels else "text-classification"
    keywords = common.where(options) | common.precision(options)
    classifier = pipeline(task, options.model, model_kwargs=keywords)
    texts = list(common.read_texts(options.text))
    if options.labels:
        found = [
            [{"label": n, "score": x} for n, x in zip(result["labels"], result["scores"])]
            for result in (classifier(text, candidate_labels=options.labels) for text in texts)
        ]
    else:
        found = classifier(texts, top_k=options.top_k) if texts else []
    for text, labels in zip(texts, found):
        labels = labels[: options.top_k]
        if options.json:
            common.print_json({"text": text, "labels": labels})
        else:
            print("  ".join(f"{x['label']} {x['score']:.4f}" for x in labels), text, sep="\t")
