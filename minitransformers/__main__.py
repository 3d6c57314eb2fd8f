"""The command line: `minitransformers generate "Once upon a time"`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

EXAMPLES = """examples:
  minitransformers generate "To be, or not" --max-new-tokens 40 --sample --seed 1
  minitransformers classify "What a lovely day!" --model org/name
  echo "First line" | minitransformers classify --json
  minitransformers info ./my-model
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. -> 0 on success, 1 if it failed, 2 for wrong usage"""
    parser = _parser()
    options = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        options.command(options)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        if options.debug:
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"minitransformers: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(
        prog="minitransformers",
        description="Transformers in pure NumPy: run Hub models without torch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, one value a line")
    common.add_argument("--revision", help="branch, tag or commit of a Hub repo")
    common.add_argument("--threads", type=int, help="threads that compute (default: the CPU quota)")
    common.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    generate = commands.add_parser("generate", parents=[common], help="continue a text")
    generate.add_argument("prompt", nargs="?", help="the beginning (default: standard input)")
    generate.add_argument("--model", default="minitransformers/tiny-gpt2", help="folder or Hub id")
    generate.add_argument("--max-new-tokens", type=int, default=60)
    generate.add_argument("--sample", action="store_true", help="draw tokens instead of the best")
    generate.add_argument("--seed", type=int, help="make draws repeatable")
    generate.add_argument("--temperature", type=float)
    generate.add_argument("--top-k", type=int)
    generate.add_argument("--top-p", type=float)
    generate.add_argument("--num-beams", type=int)
    generate.set_defaults(command=_generate)

    classify = commands.add_parser("classify", parents=[common], help="label texts")
    classify.add_argument("text", nargs="*", help="texts (default: lines of standard input)")
    classify.add_argument("--model", help="folder or Hub id (default: the task's)")
    classify.add_argument("--top-k", type=int, default=1, help="labels a text")
    classify.set_defaults(command=_classify)

    info = commands.add_parser("info", parents=[common], help="what is in a checkpoint")
    info.add_argument("model", help="folder or Hub id")
    info.set_defaults(command=_info)
    return parser


def _use_threads(options: argparse.Namespace) -> None:
    if options.threads:
        from .core.threads import set_num_threads

        set_num_threads(options.threads)


def _generate(options: argparse.Namespace) -> None:
    from .core.random import set_seed
    from .generation.streamers import TextStreamer
    from .pipelines import pipeline

    prompt = options.prompt if options.prompt is not None else sys.stdin.read().rstrip("\n")
    _use_threads(options)
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


def _classify(options: argparse.Namespace) -> None:
    from .pipelines import pipeline

    texts = options.text or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    _use_threads(options)
    classifier = pipeline("text-classification", options.model, revision=options.revision)
    for text, labels in zip(texts, classifier(texts, top_k=options.top_k)):
        if options.json:
            print(json.dumps({"text": text, "labels": labels}, ensure_ascii=False))
        else:
            found = "  ".join(f"{x['label']} {x['score']:.4f}" for x in labels)
            print(f"{found}\t{text}")


def _info(options: argparse.Namespace) -> None:
    from . import hub
    from .checkpoints import open_checkpoint
    from .models.auto import MODELS, AutoConfig

    where = {"revision": options.revision} if options.revision else {}
    config = AutoConfig.from_pretrained(options.model, **where)
    tensors = open_checkpoint(hub.resolve(options.model, **where))
    distinct = {id(t.data): t for t in tensors.values()}.values()
    facts: dict[str, Any] = {
        "model": options.model,
        "model_type": config.model_type,
        "architectures": config.architectures or [],
        "tasks": sorted(set(MODELS.get(config.model_type, {})) - {"config", "base"}),
        "parameters": sum(t.data.size for t in distinct),
        "tensors": len(tensors),
        "dtypes": sorted({t.dtype for t in distinct}),
        "file_bytes": sum(t.data.nbytes for t in distinct),
        "float32_bytes": sum(t.data.size * 4 for t in distinct),
    }
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:14} {text:,}" if isinstance(value, int) else f"{name:14} {text}")


if __name__ == "__main__":
    sys.exit(main())
