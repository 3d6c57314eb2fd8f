"""`minitransformers port`"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from . import common

HELP = "tell what a script or notebook uses of transformers, and what to write here"
EXAMPLES = (
    "minitransformers port train.py notebook.ipynb",
    "minitransformers port train.py --write     # rewrites imports, leaves train.py.diff",
    "minitransformers port src/ --check --json",
)
_SIGNS = {"same": "=", "moved": ">", "instead": "~", "missing": "x"}
_LEGEND = "= exists under its name   > exists elsewhere   ~ write something else   x not here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="+", help="Python scripts (.py), notebooks (.ipynb), folders of them"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="rewrite the imports of what exists here; the change is left as FILE.diff",
    )
    parser.add_argument("--check", action="store_true", help="fail if something is not here")


def run(options: argparse.Namespace) -> None:
    from .porting import read_source, rewrite, scan

    missing = 0
    for path in _files(options.file):
        source = read_source(path)
        uses = scan(source)
        missing += sum(use.status == "missing" for use in uses)
        facts: dict[str, Any] = {"file": path, "uses": [use.as_dict() for use in uses]}
        facts |= {"notes": list(source.notes), "diff": None}
        if options.write:
            new, left = rewrite(source, uses)
            facts["notes"] += [f"to be changed by hand: {statement}" for statement in left]
            if new != source.raw:
                facts["diff"] = source.write(new)
        if options.json:
            common.print_json(facts)
        else:
            _print(facts)
    if missing and options.check:
        raise ValueError(f"{missing} uses of what is not here")


def _files(paths: list[str]) -> Iterator[str]:
    """The files given, and in their order those of the folders given; hidden ones are left out."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
        for folder, inside, names in os.walk(path):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            found = (name for name in sorted(names) if not name.startswith("."))
            yield from (os.path.join(folder, n) for n in found if n.endswith((".py", ".ipynb")))


def _print(facts: dict[str, Any]) -> None:
    print(f"{facts['file']}: {_summary(facts['uses'])}")
    width = max((len(use["name"]) for use in facts["uses"]), default=0)
    for use in facts["uses"]:
        place = f"{use['cell']}:{use['line']}" if use["cell"] else str(use["line"])
        line = f"{place:>7} {_SIGNS[use['status']]} {use['name']:{width}}  {use['advice']}"
        print(line.rstrip())
    for note in facts["notes"]:
        print(f"        {note}")
    if facts["diff"]:
        print(f"        rewritten; {facts['diff']} has the change")
    if facts["uses"]:
        print(f"        {_LEGEND}")


def _summary(uses: list[dict[str, Any]]) -> str:
    if not uses:
        return "uses nothing of transformers or torch"
    count = {status: sum(u["status"] == status for u in uses) for status in _SIGNS}
    here = count["same"] + count["moved"]
    parts = [f"{here} uses exist here"]
    parts += [f"{count['instead']} have something else in their place"] if count["instead"] else []
    parts += [f"{count['missing']} do not exist"] if count["missing"] else []
    return ", ".join(parts)
