"""`minitransformers generate`"""

from __future__ import annotations

import argparse
import json
import sys

HELP = "continue a text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="?", help="the beginning (default: standard input)")
    parser.add_argument("--model", default="minitransformers/tiny-gpt2", help="folder or Hub id")
    parser.add_argument("--max-new-tokens", type=int, default=60)
    parser.add_argument("--sample", action="store_true", help="draw tokens instead of the best")
    parser.add_argument("--seed", type=int, help="make draws repeatable")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--num-beams", type=int)


def run(options: argparse.Namespace) -> None:
    from ..core.random import set_seed
    from ..generation.streamers import TextStreamer
    from ..pipelines import pipeline

    prompt = options.prompt if options.prompt is not None else sys.stdin.read().rstrip("\n")
    if options.seed is not None:
        set_seed(options.seed)
    generator = pipeline("text-generation", options.model, revision=options.revision)
    names = ("temperature", "top_k", "top_p", "num_beams")
    given = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if options.sample or {"temperature", "top_k", "top_p"} & given.keys():
        given["do_sample"] = True
    # text appears as it is made, where one beam makes it and a person reads it
    if not options.json and options.num_beams in (None, 1):
        streamer = TextStreamer(generator.tokenizer, skip_special_tokens=True)
        generator(prompt, max_new_tokens=options.max_new_tokens, streamer=streamer, **given)
        return
    result = generator(prompt, max_new_tokens=options.max_new_tokens, **given)[0]
    print(json.dumps(result, ensure_ascii=False) if options.json else result["generated_text"])
