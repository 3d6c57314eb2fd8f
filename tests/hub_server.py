"""A Hugging Face Hub on the loopback interface, with faults to order.

    with HubServer() as hub:
        commit = hub.add("org/name", {"config.json": b"{}"})
        hub.fault("config.json", cut_after=10)
        ... with HF_ENDPOINT=hub.url ...
        assert hub.requests == []

It speaks the resolve protocol (HEAD and GET of /repo/resolve/revision/file, ETag, X-Repo-Commit,
ranges, large files behind a redirect to a CDN), the parts of the API that loading and uploading a
model need (the latter in hub_uploads), and the Hub's errors. The CDN is a second port: another
origin, to which no token may travel.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep  # by name: tests replace time.sleep to hurry the client's retries
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hub_uploads import LARGE, READER, TOKEN, Uploads, oid


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Repo:
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    pipeline_tag: str | None = None
    pull_requests: list[str] = field(default_factory=list)  # their titles

    def commit_of(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of `method` whose path contains `path`."""

    path: str
    times: int
    method: str
    status: int | None
    delay: float
    cut_after: int | None
    corrupt: bool
    reset: bool


class HubServer:
    """The server; a context manager.

    `requests` lists what it was asked, in order, and `log` the commits that clients made. Setting
    `part_size` has large files uploaded in parts of so many bytes.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.log: list[dict] = []
        self.part_size: int | None = None
        self.blobs: dict[str, bytes] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        handler = type("Handler", (_Handler,), {"hub": self})
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        self.url, self.cdn_url = (f"http://127.0.0.1:{s.server_address[1]}" for s in self._servers)

    def __enter__(self) -> "HubServer":
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(
        self,
        name: str,
        files: dict[str, bytes],
        *,
        revision: str = "main",
        private: bool = False,
        gated: bool = False,
        pipeline_tag: str | None = None,
    ) -> str:
        """Commit `files` to a branch or tag of a repository, new or not. -> the commit's hash"""
        repo = self.repos.setdefault(name, Repo())
        repo.private, repo.gated, repo.pipeline_tag = private, gated, pipeline_tag
        return self.commit(name, files, revision)

    def commit(self, name: str, files: dict[str, bytes], revision: str) -> str:
        """Make `files` all that a branch holds. -> the commit's hash"""
        repo = self.repos[name]
        content = json.dumps([name, len(repo.commits), {k: v.hex() for k, v in files.items()}])
        commit = hashlib.sha1(content.encode()).hexdigest()
        repo.commits[commit] = dict(files)
        repo.refs[revision] = commit
        return commit

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """What a branch, tag or commit holds."""
        repo = self.repos[name]
        return repo.commits[repo.commit_of(revision) or ""]

    def fault(
        self,
        path: str,
        *,
        times: int = 1,
        method: str = "GET",
        status: int | None = None,
        delay: float = 0.0,
        cut_after: int | None = None,
        corrupt: bool = False,
        reset: bool = False,
    ) -> None:
        """Order a fault: an error status, seconds of delay before and within the body, a body that
        ends early or has a flipped byte, a connection reset. A large file's path holds its SHA-256
        on the CDN, so `path` also matches the file's name there."""
        self.faults.append(Fault(path, times, method, status, delay, cut_after, corrupt, reset))

    def count(self, method: str | None = None) -> int:
        return sum(method in (None, request.method) for request in self.requests)


class _Handler(Uploads, BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for its headers' acknowledgement

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        self.body = self.read_body()
        self._fault = self._take_fault()
        headers = {key.lower(): value for key, value in self.headers.items()}
        if path == "/api/agent-harnesses":  # the client's own housekeeping, no part of loading
            return self._fail(404, "", "no such path")
        self.hub.requests.append(Request(self.command, self.path, headers))
        if self._fault and self._fault.reset:
            linger = struct.pack("ii", 1, 0)  # close with RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            self.rfile = self.wfile = SimpleNamespace(closed=True, close=lambda: None)
        elif self._fault and self._fault.status:
            self._fail(self._fault.status, "", "ordered by the test")
        elif route := self._write_route(path):
            route()
        elif match := re.fullmatch(r"/cdn/(\w+)/.*", path):
            self._send_body(self.hub.blobs[match[1]], {})
        elif match := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)", path):
            self._model_info(unquote(match[1]), "main")
        elif match := re.fullmatch(r"/api/models/(.+?)/revision/([^/]+)", path):
            self._model_info(unquote(match[1]), unquote(match[2]))
        elif match := re.fullmatch(r"/api/models/(.+?)/tree/([^/]+)", path):
            self._tree(unquote(match[1]), unquote(match[2]))
        elif match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            self._resolve(*map(unquote, match.groups()))
        else:
            self._fail(404, "", "no such path")

    def _write_route(self, path: str) -> Any:
        for method, pattern, handler in self.write_routes():
            if method == self.command and (match := re.fullmatch(pattern, path)):
                return partial(handler, *match.groups())
        return None

    def _take_fault(self) -> Fault | None:
        for fault in self.hub.faults:
            if fault.times and fault.method == self.command and fault.path in self.path:
                fault.times -= 1
                return fault
        return None

    def _admit(self, name: str, revision: str) -> tuple[Repo, str] | None:
        """The repository and commit, or None after an answer with the Hub's error."""
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        repo = self.hub.repos.get(name)
        if token and token not in (TOKEN, READER):
            self._fail(401, "", "Invalid credentials in Authorization header")
        elif repo is None or (repo.private and not token):
            self._fail(404 if token else 401, "RepoNotFound", "Repository not found")
        elif repo.gated and not token:
            self._fail(403, "GatedRepo", f"Access to model {name} is restricted")
        elif (commit := repo.commit_of(revision)) is None:
            self._fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repo, commit
        return None

    def _resolve(self, name: str, revision: str, file: str) -> None:
        if name in self.hub.renamed:
            target = f"/{self.hub.renamed[name]}/resolve/{revision}/{file}"
            return self._send(307, {"Location": target})
        if not (admitted := self._admit(name, revision)):
            return
        repo, commit = admitted
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        content = repo.commits[commit].get(file)
        if content is None:
            return self._fail(404, "EntryNotFound", "Entry not found", headers)
        if not file.endswith(LARGE):
            return self._send_body(content, {**headers, "ETag": f'"{oid(content, large=False)}"'})
        sha256 = oid(content, large=True)
        self.hub.blobs[sha256] = content
        headers |= {"X-Linked-ETag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        self._send(302, {**headers, "Location": f"{self.hub.cdn_url}/cdn/{sha256}/{file}"})

    def _model_info(self, name: str, revision: str) -> None:
        if admitted := self._admit(name, revision):
            repo, commit = admitted
            info = {"id": name, "modelId": name, "sha": commit, "private": repo.private, "tags": []}
            info |= {"downloads": 0, "likes": 0}  # older clients insist
            info["siblings"] = [{"rfilename": file} for file in repo.commits[commit]]
            info["pipeline_tag"] = repo.pipeline_tag
            self._send(200, {"Content-Type": "application/json"}, json.dumps(info).encode())

    def _tree(self, name: str, revision: str) -> None:
        if admitted := self._admit(name, revision):
            repo, commit = admitted
            entries = [
                {"type": "file", "path": file, "size": len(content), "oid": "0" * 40}
                for file, content in repo.commits[commit].items()
            ]
            self._send(200, {"Content-Type": "application/json"}, json.dumps(entries).encode())

    def _send_body(self, content: bytes, headers: dict[str, str]) -> None:
        if self._fault and self._fault.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        status = 200
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("range") or ""):
            begin, end = int(match[1]), len(content)
            headers = {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{end}"}
            status, content = 206, content[begin:]
        self._send(status, headers, content)

    def _fail(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        story = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
        if not code and status == 401:
            story = {"X-Error-Message": message}
        body = json.dumps({"error": message}).encode()
        self._send(status, {**story, **(headers or {})}, body)

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        delay = self._fault.delay if self._fault else 0.0
        cut = self._fault.cut_after if self._fault else None
        sleep(delay)
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut is not None:
            body, self.close_connection = body[:cut], True
        try:
            self.wfile.write(body[: len(body) // 2])
            sleep(delay)
            self.wfile.write(body[len(body) // 2 :])
        except OSError:  # the client has gone
            self.close_connection = True


@pytest.fixture(name="hub")
def hub_fixture(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[HubServer]:
    """A running Hub that HF_ENDPOINT names, an empty cache and no token or offline variable."""
    for variable in (
        *("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "XDG_CACHE_HOME"),
        *("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    # read once, perhaps in a test that was offline
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # files go up through HTTP and not through Xet, whose servers are others
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True, raising=False)
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
