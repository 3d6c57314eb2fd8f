"""`minitransformers classify`"""

from __future__ import annotations

import argparse
import json
import sys

HELP = "label texts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", help="texts (default: lines of standard input)")
    parser.add_argument("--model", help="folder or Hub id (default: the task's)")
    parser.add_argument("--top-k", type=int, default=1, help="labels a text")


def run(options: argparse.Namespace) -> None:
    from ..pipelines import pipeline

    texts = options.text or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    classifier = pipeline("text-classification", options.model, revision=options.revision)
    for text, labels in zip(texts, classifier(texts, top_k=options.top_k)):
        if options.json:
            print(json.dumps({"text": text, "labels": labels}, ensure_ascii=False))
        else:
            found = "  ".join(f"{x['label']} {x['score']:.4f}" for x in labels)
            print(f"{found}\t{text}")
