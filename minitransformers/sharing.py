"""Upload what was saved to the Hub: `push_to_hub` and `save_pretrained(push_to_hub=True)`.

Only files that saving wrote are uploaded, whatever else their folder holds, and of those only what
the repository does not have already.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from . import hub

_WORDS = ("Model", "Config", "Tokenizer")  # in a class's name -> what it is in a commit's message


class Shareable:
    """Something with `save_pretrained`, which can be pushed to a repository of the Hub.

    saving_options: those of push_to_hub's keywords that `save_pretrained` takes
    """

    saving_options: ClassVar[tuple[str, ...]] = ()

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> Any:
        """Write it into a folder."""
        raise NotImplementedError

    def push_to_hub(
        self,
        repo_id: str | None,
        use_temp_dir: bool | None = None,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        max_shard_size: int | str = "5GB",
        create_pr: bool = False,
        safe_serialization: bool = True,
        revision: str | None = None,
        commit_description: str | None = None,
        tags: str | list[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Save it and upload the files to a repository of the Hub, made if there is none.

        repo_id: "name", in the namespace of the token's account, or "organisation/name"; None where
            the reference's old `repo_path_or_name` or `repo_url` says it
        use_temp_dir: False saves into the folder ./name, True into one that is removed; None keeps
            to ./name where it exists
        commit_message, commit_description: None is "Upload model", or what else it is
        private: whether a repository made now is; one that exists stays as it is
        token: access token; None or True takes HF_TOKEN or the stored login
        max_shard_size, safe_serialization, variant: of a model; see `save_pretrained`
        create_pr: open a pull request instead of committing to the branch
        revision: the branch, made if there is none, or "refs/pr/N"
        tags: for the model card, README.md, which is written where there is none
        -> huggingface_hub's CommitInfo. Raises HubError (an OSError) saying why it was not possible
        """
        saving = {
            "max_shard_size": max_shard_size,
            "safe_serialization": safe_serialization,
            "variant": kwargs.pop("variant", None),
        }
        saving = {name: value for name, value in saving.items() if name in self.saving_options}
        path = kwargs.pop("repo_path_or_name", None)
        if path is not None:
            kwargs["repo_path_or_name"] = os.path.basename(path) if os.path.isdir(path) else path
        upload = Upload.from_options(
            self,
            repo_id,
            kwargs
            | {"commit_message": commit_message, "commit_description": commit_description}
            | {"private": private, "create_pr": create_pr, "revision": revision, "tags": tags}
            | ({} if token is None else {"token": token}),
        )
        folder = upload.repo_id.rpartition("/")[2] if path is None else os.fspath(path)
        if use_temp_dir is None:
            use_temp_dir = not os.path.isdir(folder)
        with contextlib.ExitStack() as stack:
            if use_temp_dir:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
            before = _stamps(folder)
            self.save_pretrained(folder, **saving)
            return upload.send(folder, before)

    @classmethod
    def register_for_auto_class(cls, auto_class: str | None = None) -> None:
        """Accepted: code is never saved beside a model, nor executed from a repository."""

    def superseded(self, files: Iterable[str], written: Iterable[str]) -> list[str]:
        """Those of a repository's files that would be read in place of what was written."""
        return []

    def card_tags(self) -> list[str]:
        """What the model card is tagged with beside the tags given."""
        return []


@contextlib.contextmanager
def pushing(
    thing: Shareable, folder: str | os.PathLike, push_to_hub: bool, options: dict[str, Any]
) -> Iterator[None]:
    """Upload what the block writes into `folder`, if `push_to_hub`.

    options: keywords of `push_to_hub`, and `repo_id` in place of the folder's name
    Raises TypeError for others.
    """
    folder = os.fspath(folder)
    repo_id = options.pop("repo_id", None) or os.path.basename(os.path.abspath(folder))
    upload = Upload.from_options(thing, repo_id, options)
    before = _stamps(folder) if push_to_hub else {}
    yield
    if push_to_hub:
        upload.send(folder, before)


@dataclass(frozen=True)
class Upload:
    """Where and how to upload; the fields are the keywords of `Shareable.push_to_hub`."""

    thing: Shareable
    repo_id: str
    commit_message: str | None = None
    commit_description: str | None = None
    private: bool | None = None
    token: str | bool | None = None
    create_pr: bool = False
    revision: str | None = None
    tags: str | list[str] | None = None
    ignore_metadata_errors: bool = False
    exist_ok: bool = True

    @classmethod
    def from_options(cls, thing: Shareable, repo_id: str | None, options: dict[str, Any]) -> Upload:
        """From keywords, the reference's old ones among them.

        Raises TypeError for others, ValueError for one that is given by two names.
        """
        options = dict(options)
        options["token"] = _only(
            {name: options.pop(name, None) for name in ("token", "use_auth_token")}
        )
        old_ids = {name: options.pop(name, None) for name in ("repo_path_or_name", "repo_url")}
        if old_ids["repo_url"] is not None:
            old_ids["repo_url"] = old_ids["repo_url"].removeprefix(hub.endpoint()).strip("/")
        repo_id = _only({"repo_id": repo_id, **old_ids})
        if repo_id is None:
            raise TypeError("push_to_hub needs repo_id")
        if organization := options.pop("organization", None):
            repo_id = f"{organization}/{repo_id.rpartition('/')[2]}"
        unknown = options.keys() - {field.name for field in fields(cls)[2:]}
        if unknown:
            raise TypeError(
                f"{type(thing).__name__} got unexpected keywords {sorted(unknown)}: they neither "
                "say how to save nor how to push to the Hub"
            )
        return cls(thing, repo_id, **options)

    def send(self, folder: str, before: dict[str, tuple]) -> Any:
        """Commit the files of `folder` that are new since `before`. -> CommitInfo"""
        if hub.is_offline():
            raise hub.HubError(
                f"{self._tried()}: the session is offline. Unset HF_HUB_OFFLINE and "
                "TRANSFORMERS_OFFLINE"
            )
        changed = [name for name, stamp in _stamps(folder).items() if before.get(name) != stamp]
        try:
            return self._commit(folder, sorted(changed))
        except Exception as error:  # of huggingface_hub, requests or httpx: versions differ
            raise hub.HubError(f"{self._tried()}: {_reason(error, self)}") from error

    def _commit(self, folder: str, names: list[str]) -> Any:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api = hub.api(self.token)
        repo = self._make_repo(api)
        self._make_branch(api, repo)
        operations: list[Any] = [
            CommitOperationAdd(name, os.path.join(folder, name))
            for name in names
            if name != "README.md"
        ]
        if card := self._card(api, repo, folder):
            operations.append(CommitOperationAdd("README.md", card.encode()))
        there = api.list_repo_files(repo, revision=self.revision)
        stale = self.thing.superseded(there, names)
        operations += [CommitOperationDelete(name) for name in stale]
        done = api.create_commit(
            repo,
            operations,
            commit_message=self.commit_message or f"Upload {_noun(self.thing)}",
            commit_description=self.commit_description,
            revision=self.revision,
            create_pr=self.create_pr,
        )
        hub.forget(repo, self.revision)
        return done

    def _make_repo(self, api: Any) -> str:
        """-> its id with the namespace"""
        if self.exist_ok and "/" in self.repo_id and api.repo_exists(self.repo_id):
            return self.repo_id  # one that may be proposed to, though not made
        visibility = {} if self.private is None else {"private": self.private}
        return api.create_repo(self.repo_id, exist_ok=self.exist_ok, **visibility).repo_id

    def _make_branch(self, api: Any, repo: str) -> None:
        if self.revision is None or self.revision.startswith("refs/pr"):
            return
        try:
            api.create_branch(repo, branch=self.revision, exist_ok=True)
        except Exception as error:
            # Who may only read may still open a pull request against a branch that exists.
            if not (self.create_pr and _status(error) == 403):
                raise

    def _card(self, api: Any, repo: str, folder: str) -> str | None:
        """The model card to write; None if the repository has one with these tags.

        Where the repository has none it is the folder's, or a new one.
        """
        from huggingface_hub import ModelCard

        given = [self.tags] if isinstance(self.tags, str) else list(self.tags or [])
        tags = [*dict.fromkeys(given + self.thing.card_tags())]
        there = self._remote_card(api, repo)
        content = there or _read(os.path.join(folder, "README.md"))
        if content is None:
            return _new_card(self.thing, repo, tags)
        card = ModelCard(content, ignore_metadata_errors=self.ignore_metadata_errors)
        had = card.data.get("tags") or []
        missing = [tag for tag in tags if tag not in had]
        if missing:
            card.data["tags"] = had + missing
            return str(card)
        return None if there else content

    def _remote_card(self, api: Any, repo: str) -> str | None:
        from huggingface_hub.utils import EntryNotFoundError

        with tempfile.TemporaryDirectory() as cache:
            try:
                return _read(
                    api.hf_hub_download(repo, "README.md", revision=self.revision, cache_dir=cache)
                )
            except EntryNotFoundError:
                return None

    def _tried(self) -> str:
        return f"Cannot push the {_noun(self.thing)} to {self.repo_id!r} at {hub.endpoint()}"


def _only(values: dict[str, Any]) -> Any:
    """The value of the one name that has one. Raises ValueError where two have, as the reference"""
    given = [name for name, value in values.items() if value is not None]
    if len(given) > 1:
        raise ValueError(
            f"`{given[0]}` and `{given[1]}` are both specified. Please set only the argument "
            f"`{given[0]}`."
        )
    return values[given[0]] if given else None


def _noun(thing: Shareable) -> str:
    """What a commit calls it, as the reference: model, config, tokenizer or else its class."""
    name = type(thing).__name__
    return next((word.lower() for word in _WORDS if word in name), name)


def _stamps(folder: str) -> dict[str, tuple]:
    """{file, by its path within: what changes when it is written}, none if no such folder is"""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path):
                stat = os.stat(path)
                inside = os.path.relpath(path, folder).replace(os.sep, "/")
                found[inside] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def _read(path: str) -> str | None:
    """The text of a file, None if there is none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _new_card(thing: Shareable, repo: str, tags: list[str]) -> str:
    from huggingface_hub import ModelCardData

    metadata = ModelCardData(library_name="transformers", tags=tags).to_yaml()
    name, noun = type(thing).__name__, _noun(thing)
    return f"""---
{metadata}
---

# {repo.rpartition("/")[2]}

This card was written when the repository was made, by `{name}.push_to_hub`. What the model is, what
it was trained on, its license and its limits remain to be told.

```python
from minitransformers import {name}  # or from transformers, which reads the same files

{noun if noun != name else "model"} = {name}.from_pretrained("{repo}")
```
"""


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _reason(error: BaseException, upload: Upload) -> str:
    """Say why an upload failed and what to do about it."""
    from huggingface_hub.utils import RevisionNotFoundError

    if isinstance(error, RuntimeError):  # names the file only; what it was is the cause
        error = error.__cause__ or error
    status = _status(error)
    if isinstance(error, RevisionNotFoundError):
        return f"it has no revision {upload.revision!r}. Give the name of a branch, or leave it out"
    if status == 401:
        return (
            "no token was given, or the Hub does not know it (HTTP 401). Pass token=..., set "
            "HF_TOKEN, or log in with `huggingface_hub.login()`; it must be a token that may write"
        )
    if status == 403:
        return (
            "the token may not write there (HTTP 403). Check the organisation's name and the "
            "token's role, or propose the change with create_pr=True"
        )
    if status == 409:
        return "it exists already; exist_ok=True writes into it, create_pr=True proposes to it"
    if status is not None or isinstance(error, ValueError):
        return str(error)
    return (
        f"no connection, or it broke ({type(error).__name__}: {error}). Check the network, the "
        "proxy and HF_ENDPOINT and try again"
    )
