"""`minitransformers cache`: what the Hub's cache holds, which all its libraries share."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from . import common

HELP = "list what is downloaded, its size, and delete it"
EXAMPLES = (
    "minitransformers cache list",
    "minitransformers cache size --json",
    "minitransformers cache delete openai-community/gpt2",
    "minitransformers cache delete org/name --revision 5f1c... --yes",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "size", "delete"))
    parser.add_argument("repo", nargs="*", help="Hub ids (list: all; delete: at least one)")
    parser.add_argument(
        "--revision", help="delete this branch, tag or commit (its beginning will do) alone"
    )
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parser.add_argument("--cache-dir", help="default: the folder that HF_HOME and its kin set")


def run(options: argparse.Namespace) -> None:
    if options.action == "delete" and not options.repo:
        raise common.UsageError("cache delete needs the ids of repositories; `cache list` has them")
    if options.revision and (options.action != "delete" or len(options.repo) > 1):
        raise common.UsageError("--revision goes with `cache delete` and one repository")
    folder = options.cache_dir or _folder()
    cache = _scan(folder)
    damaged = [w for w in cache.warnings if "--" in str(w)] if cache else []
    for damage in damaged:
        print(f"minitransformers: {damage}", file=sys.stderr)
    repos = sorted(cache.repos, key=lambda r: r.repo_id) if cache else []
    if options.repo:
        absent = [name for name in options.repo if name not in {r.repo_id for r in repos}]
        if absent:
            raise ValueError(f"{', '.join(absent)}: not in the cache {folder}")
        repos = [r for r in repos if r.repo_id in options.repo]
    if options.action == "delete":
        _delete(cache, repos, options)
    elif options.action == "size":
        _show_size(folder, repos, options.json)
    else:
        _show_list(folder, repos, options.json)


def _folder() -> str:
    from .. import hub

    return hub.cache_folder()


def _scan(folder: str) -> Any:
    """huggingface_hub's account of the cache, None if there is none."""
    from huggingface_hub import scan_cache_dir

    return scan_cache_dir(folder) if os.path.isdir(folder) else None


def _facts(repo: Any) -> dict[str, Any]:
    return {
        "repo": repo.repo_id,
        "type": repo.repo_type,
        "bytes": repo.size_on_disk,
        "files": repo.nb_files,
        "last_used": time.strftime("%Y-%m-%d", time.localtime(repo.last_accessed)),
        "revisions": [
            {"commit": r.commit_hash, "refs": sorted(r.refs), "bytes": r.size_on_disk}
            for r in sorted(repo.revisions, key=lambda r: r.commit_hash)
        ],
    }


def _show_list(folder: str, repos: list[Any], as_json: bool) -> None:
    for facts in map(_facts, repos):
        if as_json:
            common.print_json(facts)
            continue
        refs = [", ".join(r["refs"]) or r["commit"][:8] for r in facts["revisions"]]
        size = common.readable(facts["bytes"])
        print(f"{size:>9}  {facts['last_used']}  {facts['repo']} ({'; '.join(refs)})")
    if not repos and not as_json:
        print(f"{folder} holds nothing")


def _show_size(folder: str, repos: list[Any], as_json: bool) -> None:
    total = sum(repo.size_on_disk for repo in repos)
    facts = {"folder": folder, "repos": len(repos), "bytes": total}
    if as_json:
        common.print_json(facts)
    else:
        common.print_facts(facts)


def _delete(cache: Any, repos: list[Any], options: argparse.Namespace) -> None:
    revisions = [r for repo in repos for r in repo.revisions]
    if options.revision:
        name = options.revision
        revisions = [r for r in revisions if name in r.refs or r.commit_hash.startswith(name)]
        if len(revisions) != 1:
            known = "several revisions" if revisions else "no revision"
            raise ValueError(f"{options.repo[0]} has {known} {name!r} in the cache")
    plan = cache.delete_revisions(*[r.commit_hash for r in revisions])
    names = ", ".join(repo.repo_id for repo in repos)
    if not options.yes and not _confirmed(f"Delete {names}, {plan.expected_freed_size_str}?"):
        raise ValueError("nothing is deleted")
    plan.execute()
    facts = {
        "deleted": [repo.repo_id for repo in repos],
        "revisions": sorted(r.commit_hash for r in revisions),
        "bytes": plan.expected_freed_size,
    }
    if options.json:
        common.print_json(facts)
    else:
        print(f"deleted {names}: {common.readable(facts['bytes'])}")


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise common.UsageError(f"{question} There is nobody to ask: --yes says so")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
