"""Turn a folder, a bundled model or a Hub repository into local files.

The cache comes first. A file that is cached for a revision is used as it is, with no request and
without importing huggingface_hub; a branch or tag that was looked up once stays at the commit found
then, so that all files of a model belong together and a model that ran once runs offline.
`force_download=True` asks the Hub again. The cache is shared with, and laid out as by, every other
library of the Hub: <cache>/models--org--name/{refs,snapshots,blobs,.no_exist}.
"""

import errno
import hashlib
import math
import os
import re
import socket
import time
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# Models inside the package: they need no network.
BUNDLED = {
    "minitransformers/tiny-gpt2": os.path.join(os.path.dirname(__file__), "data", "tiny-gpt2")
}

# Organisation -> the models it took over, which tutorials (and caches) know by their bare name.
_RENAMED = {
    "albert": r"albert-(base|large|xlarge|xxlarge)-v[12]",
    "almanach": r"camembert-base",
    "distilbert": r"distilbert-base-(un)?cased(-distilled-squad)?|distilroberta-base|distilgpt2"
    r"|distilbert-base-(german-cased|multilingual-cased)"
    r"|distilbert-base-uncased-finetuned-sst-2-english",
    "FacebookAI": r"(xlm-)?roberta-(base|large)|roberta-large-mnli|roberta-base-openai-detector"
    r"|roberta-large-openai-detector|xlm-roberta-large-finetuned-conll0[23]-(dutch|spanish|english"
    r"|german)|xlm-(clm|mlm)-.*",
    "google-bert": r"bert-(base|large)-.*",
    "google-t5": r"t5-(small|base|large|3b|11b)",
    "openai-community": r"gpt2(-medium|-large|-xl)?|openai-gpt",
    "Salesforce": r"ctrl",
    "transfo-xl": r"transfo-xl-wt103",
    "xlnet": r"xlnet-(base|large)-cased",
}

# Endpoint -> when it was last found unreachable. The Hub's library takes 20 seconds to give up, too
# long to wait for each of a model's optional files.
_unreachable: dict[str, float] = {}
# Endpoints that were there when last looked for.
_reached: set[str] = set()
# Seconds to wait for a connection that costs no request, before a request is made.
_CONNECTING = 2.0

_COMMIT = re.compile(r"[0-9a-f]{40}")
_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "force_download", "subfolder")
# What the reference accepts and a caller loses nothing without.
_IGNORED_OPTIONS = (
    *("resume_download", "proxies", "mirror", "user_agent", "use_auth_token"),
    *("_commit_hash", "_from_auto", "_from_pipeline"),
)


_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC}


class HubError(OSError):
    """A file that could not be had: the message says what was tried and what to do."""


class _NoConnectionError(Exception):
    """Its cause is what a request raised instead of an answer."""


class Snapshot(NamedTuple):
    """A commit of a repository that the cache knows."""

    repo: str
    commit: str
    folder: str


@dataclass(frozen=True)
class Resolver:
    """A repository with the options to reach it; calling it turns file names into local paths.

    repo: a folder, a bundled id, or an id "org/name" on the Hub
    revision: branch, tag or commit; folders ignore it
    token: access token; None takes HF_TOKEN or the stored login, False sends none
    cache_dir: in place of the folder that HF_HOME and its kin set
    local_files_only: stay offline; None obeys HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE
    force_download: ask the Hub again, even for what is cached
    subfolder: where in the repository its files are
    """

    repo: str
    revision: str | None = None
    token: str | bool | None = None
    cache_dir: str | os.PathLike[str] | None = None
    local_files_only: bool | None = None
    force_download: bool = False
    subfolder: str = ""

    def __call__(self, filename: str, *, required: bool = True) -> str | None:
        """Return the local path of a file; None if it is absent and not `required`.

        Raises HubError if a required file is absent, and always if nothing could be found out.
        """
        name = _path_inside(self.subfolder, filename)
        folder = _local_folder(self.repo)
        if folder is not None:
            path = os.path.join(folder, *name.split("/"))
            found = path if os.path.isfile(path) else None
        else:
            found = self._find_in_cache_or_hub(name, required)
        if found is None and required:
            raise HubError(f"{self._tried(name)}: {self._no_entry()}")
        return found

    def files(self) -> list[str]:
        """Name every file of the repository, "/" between folders; of the cache if it must do."""
        if _local_folder(self.repo) is None and not self._offline():
            known = self._snapshot()
            revision = known.commit if known else self.revision
            try:
                return sorted(api(self.token).list_repo_files(self.repo, revision=revision))
            except Exception:  # a courtesy: what can be said without the Hub is said
                pass
        return list_cached(self.repo, revision=self.revision, cache_dir=self.cache_dir)

    def _find_in_cache_or_hub(self, name: str, required: bool) -> str | None:
        known = self._snapshot()
        if known and not self.force_download:
            path = os.path.join(known.folder, "snapshots", known.commit, *name.split("/"))
            if os.path.isfile(path):
                return path
            absent = os.path.join(known.folder, ".no_exist", known.commit, name)
            if not required and os.path.isfile(absent):
                return None
        # Without the Hub, an optional file counts as absent if the repository was fetched before;
        # of one that never was, nothing can be said.
        optional = known is not None and not required
        if not self._offline() and not (optional and _failed_just_now()):
            return self._download(name, known, required)
        if self.force_download:
            raise HubError(f"{self._tried(name)}: force_download=True needs to be online")
        if optional:
            return None
        raise HubError(
            f"{self._tried(name)}: it is not cached and the session is offline (HF_HUB_OFFLINE, "
            f"TRANSFORMERS_OFFLINE or local_files_only). Fetch it online once{_NO_NETWORK_HINT}"
        )

    def _download(self, name: str, known: Snapshot | None, required: bool) -> str | None:
        import huggingface_hub
        from huggingface_hub.utils import (
            EntryNotFoundError,
            LocalEntryNotFoundError,
            RevisionNotFoundError,
        )

        def fetch(repo: str, revision: str) -> str:
            return huggingface_hub.hf_hub_download(
                repo,
                name,
                revision=revision,
                token=self.token,
                cache_dir=cache_folder(self.cache_dir),
                endpoint=endpoint(),
                force_download=self.force_download,
                library_name="minitransformers",
            )

        try:
            _reach(endpoint())
            if known and not self.force_download:
                try:
                    path = fetch(known.repo, known.commit)
                except RevisionNotFoundError:  # the Hub's history was rewritten since
                    path = fetch(self.repo, self._revision)
                except EntryNotFoundError as error:
                    if isinstance(error, LocalEntryNotFoundError) or not required:
                        raise
                    path = fetch(self.repo, self._revision)  # the branch may have moved since
            else:
                path = fetch(self.repo, self._revision)
            _verify(path)
            return path
        except (LocalEntryNotFoundError, _NoConnectionError) as error:
            _reached.discard(endpoint())
            _unreachable[endpoint()] = time.monotonic()
            if known and not required:
                return None
            raise HubError(f"{self._tried(name)}: {_reason(error, self)}") from error
        except EntryNotFoundError:
            return None
        except Exception as error:  # of huggingface_hub, requests or httpx: versions differ
            raise HubError(f"{self._tried(name)}: {_reason(error, self)}") from error

    def _snapshot(self) -> Snapshot | None:
        """The commit that the cache holds for the revision, under any name of the repository."""
        for repo in _spellings(self.repo):
            cache = cache_folder(self.cache_dir)
            folder = os.path.join(cache, "--".join(["models", *repo.split("/")]))
            commit = self._revision
            if not _COMMIT.fullmatch(commit):
                try:
                    with open(os.path.join(folder, "refs", *commit.split("/"))) as file:
                        commit = file.read().strip()
                except (OSError, ValueError):
                    continue
            if _COMMIT.fullmatch(commit) and any(
                os.path.isdir(os.path.join(folder, kind, commit))
                for kind in ("snapshots", ".no_exist")
            ):
                return Snapshot(repo, commit, folder)
        return None

    @property
    def _revision(self) -> str:
        return _path_inside("", self.revision or "main")

    def _offline(self) -> bool:
        if self.local_files_only is not None:
            return self.local_files_only
        return is_offline()

    def _tried(self, name: str) -> str:
        if folder := _local_folder(self.repo):
            return f"Cannot find {name} in the folder {folder}"
        return (
            f"Cannot get {name} of {self.repo!r}, revision {self._revision!r}, from {endpoint()} "
            f"or the cache {cache_folder(self.cache_dir)}"
        )

    def _no_entry(self) -> str:
        files = self.files()
        packed = [name for name in files if name.endswith(".gguf")]
        if len(files) > 30:
            files = [*files[:30], f"... {len(files) - 30} more"]
        listing = f"it holds {', '.join(files)}" if files else "it holds nothing known"
        advice = "" if _local_folder(self.repo) else "; force_download=True asks the Hub again"
        if packed:
            advice = f", or give gguf_file={packed[0]!r}{advice}"
        return f"no such file; {listing}. Check the name, subfolder and revision{advice}"


def resolve_file(
    repo: str | os.PathLike[str],
    filename: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool | None = None,
    force_download: bool = False,
    subfolder: str = "",
    required: bool = True,
) -> str | None:
    """Return the local path of a repository's file; options and errors are `Resolver`'s."""
    resolver = resolve(
        repo,
        revision=revision,
        token=token,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        force_download=force_download,
        subfolder=subfolder,
    )
    return resolver(filename, required=required)


def resolve(repo: str | os.PathLike[str], **options: Any) -> Resolver:
    """Bind a repository and the options of `Resolver`. Raises HubError if it names no model."""
    repo = os.fspath(repo)
    if _local_folder(repo) is None:
        _check_id(repo)
    return Resolver(repo, **options)


def list_cached(
    repo: str | os.PathLike[str],
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> list[str]:
    """Name the files of a folder, or those cached of a Hub repository; asks no network."""
    resolver = resolve(repo, revision=revision, cache_dir=cache_dir)
    folder = _local_folder(resolver.repo)
    if folder is None:
        known = resolver._snapshot()
        if known is None:
            return []
        folder = os.path.join(known.folder, "snapshots", known.commit)
    names = [
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
        for parent, _, children in os.walk(folder)
        for name in children
    ]
    return sorted(names)


def commit_hash(path: str | os.PathLike[str]) -> str | None:
    """Return the commit that a cached file belongs to, None for a file outside the cache."""
    match = re.search(r"[/\\]snapshots[/\\]([0-9a-f]{40})[/\\]", os.fspath(path))
    return match[1] if match else None


def model_tag(
    repo: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
) -> str | None:
    """Return the task that the Hub lists for a model ("text-generation"); None for a folder.

    Raises HubError if the Hub cannot be asked.
    """
    resolver = resolve(repo, revision=revision, token=token)
    if _local_folder(resolver.repo) is not None:
        return None
    tried = f"Cannot ask {endpoint()} for the task of {resolver.repo!r}"
    if resolver._offline():
        raise HubError(f"{tried}: the session is offline. Name the task{_NO_NETWORK_HINT}")
    try:
        return api(token).model_info(resolver.repo, revision=revision).pipeline_tag
    except Exception as error:  # of huggingface_hub, requests or httpx: versions differ
        raise HubError(f"{tried}: {_reason(error, resolver)}") from error


def split_options(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the keywords of a `from_pretrained` into (`Resolver` options given, the rest).

    The reference's `use_auth_token` is `token`; options that mean nothing here are dropped.
    """
    where = {name: keywords[name] for name in _OPTIONS if keywords.get(name) is not None}
    if keywords.get("use_auth_token") is not None:
        where.setdefault("token", keywords["use_auth_token"])
    taken = {*_OPTIONS, *_IGNORED_OPTIONS}
    return where, {name: value for name, value in keywords.items() if name not in taken}


_NO_NETWORK_HINT = f"; or try a model that needs no network: {', '.join(BUNDLED)}"


def _local_folder(repo: str) -> str | None:
    return repo if os.path.isdir(repo) else BUNDLED.get(repo)


def is_bare_name(repo: str) -> bool:
    """Whether a model is known by that name without an organisation."""
    return "/" not in repo and (repo in BUNDLED or len(_spellings(repo)) > 1)


def _spellings(repo: str) -> list[str]:
    """A repository's id and the one it had before or after it moved to an organisation."""
    organisation, _, name = repo.rpartition("/")
    for owner, models in _RENAMED.items():
        if organisation in ("", owner) and re.fullmatch(models, name):
            return [repo, name if organisation else f"{owner}/{name}"]
    return [repo]


def _check_id(repo: str) -> None:
    if repo.endswith(".gguf") and os.path.isfile(repo):
        raise HubError(f"{repo!r} is a file: name its folder, and the file with gguf_file=")
    part = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
    if not re.fullmatch(rf"{part}(?:/{part})?", repo, re.ASCII) or re.search(
        r"\.\.|--|.{97}", repo
    ):
        raise HubError(
            f"{repo!r} is neither a folder that exists here (in {os.getcwd()}) nor an id of the "
            "Hub, which reads 'name' or 'organisation/name'"
        )


def _path_inside(subfolder: str, filename: str) -> str:
    """Join into a relative path with "/", refusing whatever could leave the folder."""
    name = "/".join(filter(None, [subfolder.rstrip("/"), filename]))
    parts = name.split("/")
    if re.search(r"[\\:\0]", name) or any(part in ("", ".", "..") for part in parts):
        raise HubError(f"{name!r} is not a path inside a repository")
    return name


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> str:
    """The Hub's cache; the first of these that is set decides, as in the reference."""
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache"), "huggingface"
    )
    chosen = os.fspath(cache_dir) if cache_dir else os.path.join(home, "hub")
    if not cache_dir:
        for variable in ("TRANSFORMERS_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            if value := os.environ.get(variable):
                chosen = value
                break
    return os.path.expandvars(os.path.expanduser(chosen))


def forget(repo: str, revision: str | None = None) -> None:
    """Look a branch up again at its next use: it has moved."""
    name = _path_inside("refs", revision or "main")
    for spelling in _spellings(repo):
        folder = "--".join(["models", *spelling.split("/")])
        path = os.path.join(cache_folder(), folder, *name.split("/"))
        if os.path.isfile(path):
            os.remove(path)


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids requests."""
    return _is_set("HF_HUB_OFFLINE") or _is_set("TRANSFORMERS_OFFLINE")


def api(token: str | bool | None) -> Any:
    """huggingface_hub's client of the endpoint."""
    import huggingface_hub

    return huggingface_hub.HfApi(endpoint(), token, library_name="minitransformers")


def _failed_just_now() -> bool:
    """Say whether the endpoint could not be reached in the last minute."""
    return time.monotonic() - _unreachable.get(endpoint(), -math.inf) < 60


def endpoint() -> str:
    """The Hub's address."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _reach(address: str) -> None:
    """Raise _NoConnectionError if the Hub is not there, before its library tries for long.

    One request decides, with the Hub's own timeout; it is only made if a plain connection fails,
    or could say nothing because there is a proxy.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if address in _reached:
        return
    if not _is_connectable(address):
        try:
            get_session().head(address, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        except Exception as error:  # of requests or httpx: versions differ
            raise _NoConnectionError from error
    _reached.add(address)


def _is_connectable(address: str) -> bool:
    """Whether an address accepts a connection without a proxy."""
    from urllib.request import getproxies

    parts = urlsplit(address)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if getproxies():
            return False
        socket.create_connection((parts.hostname, port), timeout=_CONNECTING).close()
    except (OSError, ValueError):
        return False
    return True


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}


def _verify(path: str) -> None:
    """Compare a downloaded file with its checksum, which is the name of its blob in the cache.

    The Hub names large files by their SHA-256 and small ones by Git's SHA-1; its library checks no
    more than the length. Removes a damaged file and raises HubError.
    """
    blob = os.path.realpath(path)
    expected = os.path.basename(blob)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", expected):
        return  # a file system without symbolic links, or a mirror that names its files otherwise
    size = os.path.getsize(blob)
    git, sha1, sha256 = hashlib.sha1(b"blob %d\0" % size), hashlib.sha1(), hashlib.sha256()
    # Some mirrors name small files by the plain SHA-1.
    digests = [sha256] if len(expected) == 64 else [git, sha1]
    with open(blob, "rb") as file:
        while chunk := file.read(1 << 20):
            for digest in digests:
                digest.update(chunk)
    if expected not in [digest.hexdigest() for digest in digests]:
        os.remove(blob)
        os.remove(path)
        raise HubError(f"the {size} bytes received do not match their checksum; try again")


def _reason(error: BaseException, repo: Resolver) -> str:
    """Say why a request failed and what to do about it."""
    from huggingface_hub.utils import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # These only say that something failed; what it was is their cause.
    if isinstance(error, (LocalEntryNotFoundError, _NoConnectionError, ValueError)):
        error = error.__cause__ or error
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, HubError):
        return str(error)
    if isinstance(error, GatedRepoError):
        return (
            f"the repository is gated. Accept its terms at {endpoint()}/{repo.repo}, then pass "
            "token=... or set HF_TOKEN to a token of that account"
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            "there is no such repository, or it is private. Check the spelling; if a local folder "
            f"was meant, {os.path.abspath(repo.repo)} does not exist; if it is private, pass "
            "token=... or set HF_TOKEN to a token that may read it"
        )
    if isinstance(error, RevisionNotFoundError):
        return "there is no such revision. Give a branch, tag or full commit hash of the repository"
    if status in (401, 403):
        return f"the token was refused (HTTP {status}). Check token=... or HF_TOKEN"
    if status is not None:
        return f"the Hub answered HTTP {status}. Try again later{_NO_NETWORK_HINT}"
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return f"the cache cannot be written ({error}). Set HF_HOME to a folder that can be"
    return (
        f"no connection, or it broke ({type(error).__name__}: {error}). Check the network, the "
        f"proxy and HF_ENDPOINT and try again{_NO_NETWORK_HINT}"
    )
