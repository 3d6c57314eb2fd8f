"""What the loopback Hub answers to writers: repositories, branches, files small and large, commits,
pull requests. A mixin of `hub_server`'s handler.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_the_only_token_that_may_write"
READER = "hf_a_token_that_may_only_read"
USER, ORGANISATION = "me", "org"  # where TOKEN may write
LARGE = (".safetensors", ".bin")  # files that are stored apart


class Uploads:
    """Routes of POST and PUT, and those of GET that only writers ask for."""

    hub: Any
    headers: Any
    path: str

    def write_routes(self) -> list[tuple[str, str, Any]]:
        """(method, pattern of the path, handler of its groups)"""
        return [
            ("GET", r"/api/whoami-v2", self._whoami),
            ("GET", r"/api/models/(.+)/refs", self._list_refs),
            ("GET", r"/api/models/(.+)/discussions", self._list_discussions),
            ("POST", r"/api/repos/create", self._create_repo),
            ("POST", r"/api/validate-yaml", self._validate_card),
            ("POST", r"/api/models/(.+)/branch/([^/]+)", self._create_branch),
            ("POST", r"/api/models/(.+)/preupload/([^/]+)", self._preupload),
            ("POST", r"/(.+)\.git/info/lfs/objects/batch", self._lfs_batch),
            ("PUT", r"/lfs/(\w+)(?:/(\d+))?", self._receive_large_file),
            ("POST", r"/lfs/complete", self._complete_large_file),
            ("POST", r"/api/models/(.+)/commit/([^/]+)", self._commit),
            ("POST", r"/api/models/(.+)/discussions", self._open_pull_request),
        ]

    def read_body(self) -> bytes:
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self) -> Any:
        return json.loads(self.body or b"{}")

    def _answer(self, value: Any, status: int = 200) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    # who may do what

    def _token(self) -> str:
        return (self.headers.get("authorization") or "").removeprefix("Bearer ")

    def _may_write(self, name: str) -> bool:
        """Whether the token writes there; answers with the Hub's error if not."""
        if self._token() not in (TOKEN, READER):
            self._fail(401, "", "Invalid username or password.")
        elif self._token() == READER or name.split("/")[0] not in (USER, ORGANISATION):
            self._fail(403, "", "You don't have the rights to create a model or write to it")
        else:
            return True
        return False

    def _proposes(self) -> bool:
        return "create_pr" in parse_qs(urlsplit(self.path).query)

    def _writable(self, name: str, revision: str) -> Any:
        """The repository and the commit a change builds on, or None after an answer."""
        name, revision = unquote(name), unquote(revision)
        if (admitted := self._admit(name, revision)) is None:
            return None
        if not self._token():
            return self._fail(401, "", "Invalid username or password.")
        if not self._proposes() and not self._may_write(name):
            return None
        return admitted

    def _whoami(self) -> None:
        if self._token() not in (TOKEN, READER):
            return self._fail(401, "", "Invalid credentials in Authorization header")
        user = {"type": "user", "name": USER, "orgs": [{"name": ORGANISATION}]}
        role = "read" if self._token() == READER else "write"
        self._answer(user | {"auth": {"accessToken": {"displayName": "test", "role": role}}})

    # repositories and branches

    def _create_repo(self) -> None:
        asked = self._json()
        name = f"{asked.get('organization') or USER}/{asked['name']}"
        if not self._may_write(name):
            return
        url = f"{self.hub.url}/{name}"
        if name in self.hub.repos:
            return self._answer({"error": "You already created this model repo", "url": url}, 409)
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.hub.add(name, {".gitattributes": b""}, private=private)
        self._answer({"url": url, "name": name, "id": name})

    def _create_branch(self, name: str, branch: str) -> None:
        if (admitted := self._writable(name, "main")) is None:
            return
        (repo, commit), branch = admitted, unquote(branch)
        if branch in repo.refs:
            return self._answer({"error": "Reference already exists"}, 409)
        if branch.startswith("refs/"):
            return self._answer({"error": "Invalid reference for a branch"}, 400)
        repo.refs[branch] = commit
        self._answer({})

    def _list_refs(self, name: str) -> None:
        if admitted := self._admit(unquote(name), "main"):
            refs = [
                {"name": ref, "ref": f"refs/heads/{ref}", "targetCommit": commit}
                for ref, commit in admitted[0].refs.items()
                if not ref.startswith("refs/")
            ]
            self._answer({"branches": refs, "tags": [], "converts": []})

    # files

    def _validate_card(self) -> None:
        has_metadata = re.match(r"---\r?\n.*?\n---\r?\n", self._json()["content"], re.S)
        warning = {"message": "empty or missing yaml metadata in repo card"}
        self._answer({"warnings": [] if has_metadata else [warning], "errors": []})

    def _preupload(self, name: str, revision: str) -> None:
        if (admitted := self._writable(name, revision)) is None:
            return
        repo, commit = admitted
        answers = []
        for file in self._json()["files"]:
            large = file["path"].endswith(LARGE)
            known = repo.commits[commit].get(file["path"])
            answers.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": False,
                    "oid": None if known is None else oid(known, large),
                }
            )
        self._answer({"files": answers})

    def _lfs_batch(self, name: str) -> None:
        objects = []
        for asked in self._json()["objects"]:
            sha256, size = asked["oid"], asked["size"]
            entry = {"oid": sha256, "size": size}
            if sha256 not in self.hub.blobs:
                entry["actions"] = {"upload": self._where_to_upload(sha256, size)}
            objects.append(entry)
        self._answer({"transfer": "basic", "objects": objects})

    def _where_to_upload(self, sha256: str, size: int) -> dict[str, Any]:
        url, part_size = f"{self.hub.cdn_url}/lfs/{sha256}", self.hub.part_size
        if not part_size:
            return {"href": url}
        parts = {f"{n + 1:05d}": f"{url}/{n + 1}" for n in range(-(-size // part_size))}
        return {
            "href": f"{self.hub.url}/lfs/complete",
            "header": {"chunk_size": str(part_size), **parts},
        }

    def _receive_large_file(self, sha256: str, part: str | None) -> None:
        if part:
            self.hub.parts[sha256, int(part)] = self.body
            return self._send(200, {"ETag": f'"{part}"'})
        if hashlib.sha256(self.body).hexdigest() != sha256:
            return self._fail(400, "", "the content does not have the checksum it was announced by")
        self.hub.blobs[sha256] = self.body
        self._send(200, {})

    def _complete_large_file(self) -> None:
        asked = self._json()
        content = b"".join(self.hub.parts[asked["oid"], p["partNumber"]] for p in asked["parts"])
        assert hashlib.sha256(content).hexdigest() == asked["oid"]
        self.hub.blobs[asked["oid"]] = content
        self._answer({})

    # commits and pull requests

    def _commit(self, name: str, revision: str) -> None:
        if (admitted := self._writable(name, revision)) is None:
            return
        (repo, parent), name = admitted, unquote(name)
        lines = [json.loads(line) for line in self.body.splitlines()]
        files = dict(repo.commits[parent])
        for kind, value in ((line["key"], line["value"]) for line in lines[1:]):
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif kind == "deletedFile":
                del files[value["path"]]
        branch = unquote(revision)
        if self._proposes():
            branch = self._new_pull_request(repo, lines[0]["value"]["summary"])
        commit = self.hub.commit(name, files, branch)
        self.hub.log.append({"repo": name, "branch": branch, "commit": commit, "lines": lines})
        answer = {"success": True, "commitOid": commit, "hookOutput": ""}
        answer["commitUrl"] = f"{self.hub.url}/{name}/commit/{commit}"
        if self._proposes():
            answer["pullRequestUrl"] = f"{self.hub.url}/{name}/discussions/{branch[8:]}"
        self._answer(answer)

    def _new_pull_request(self, repo: Any, title: str) -> str:
        repo.pull_requests.append(title)
        return f"refs/pr/{len(repo.pull_requests)}"

    def _open_pull_request(self, name: str) -> None:
        if (admitted := self._admit(unquote(name), "main")) and self._token():
            repo, commit = admitted
            branch = self._new_pull_request(repo, self._json()["title"])
            repo.refs[branch] = commit
            self._answer({"num": len(repo.pull_requests)})

    def _list_discussions(self, name: str) -> None:
        if admitted := self._admit(unquote(name), "main"):
            created = {"createdAt": "2024-01-01T00:00:00.000Z", "author": {"name": USER}}
            listed = [
                {"num": n, "title": title, "status": "open", "isPullRequest": True, **created}
                | {"repo": {"name": unquote(name), "type": "model"}}
                for n, title in enumerate(admitted[0].pull_requests, 1)
            ]
            self._answer({"discussions": listed, "count": len(listed), "start": 0})


def oid(content: bytes, large: bool) -> str:
    """What the Hub names a file's content by: SHA-256 if large, else as Git does."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
