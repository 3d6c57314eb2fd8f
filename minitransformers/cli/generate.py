"""`minitransformers generate`"""

from __future__ import annotations

import argparse
import sys

from . import common

HELP = "continue a text, or answer one with an encoder-decoder"
EXAMPLES = (
    'minitransformers generate "To be, or not" --max-new-tokens 40 --sample --seed 1',
    'minitransformers generate "translate English to German: Good day" --model google-t5/t5-small',
    'minitransformers generate "Once" --num-beams 4 --num-return-sequences 2 --json',
    "minitransformers generate --set no_repeat_ngram_size=3 < prompt.txt",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="?", help="the beginning (default: standard input)")
    parser.add_argument(
        "--model",
        default="minitransformers/tiny-gpt2",
        help="folder, Hub id or .gguf file (default: %(default)s, which is in the package)",
    )
    common.add_model_options(parser)
    common.add_generation_options(parser, max_new_tokens=60)
    parser.add_argument("--num-beams", type=common.positive, default=1, metavar="N")
    parser.add_argument("--num-return-sequences", type=common.positive, default=1, metavar="N")


def run(options: argparse.Namespace) -> None:
    from ..core.random import set_seed
    from ..generation.streamers import TextStreamer
    from ..pipelines import pipeline

    parameters = common.generation_parameters(options)
    for name in ("num_beams", "num_return_sequences"):
        if getattr(options, name) > 1:
            parameters[name] = getattr(options, name)
    if options.prompt is None:
        common.announce_input()
        options.prompt = sys.stdin.read().rstrip("\n")
    keywords = common.where(options) | common.precision(options)
    generator = pipeline(_task(options), options.model, model_kwargs=keywords)
    if options.seed is not None:
        set_seed(options.seed)
    # text appears as it is made, where there is one and a person reads it
    several = {"num_beams", "num_beam_groups", "num_return_sequences"} & parameters.keys()
    if not options.json and not several:
        parameters["streamer"] = TextStreamer(generator.tokenizer, skip_special_tokens=True)
    results = generator(options.prompt, **parameters)
    if "streamer" in parameters:
        return
    for number, result in enumerate(results):
        if options.json:
            common.print_json(result)
        else:
            print(*(["---"] if number else []), result["generated_text"], sep="\n")


def _task(options: argparse.Namespace) -> str:
    from ..adapters.base_model import base_of
    from ..models.auto import AutoConfig

    where = common.where(options)
    base = base_of(options.model, where)  # of an adapter, whose base decides
    name, where = (base.name, base.where) if base else (options.model, where)
    config = AutoConfig.from_pretrained(name, **where)
    return "text2text-generation" if config.is_encoder_decoder else "text-generation"
