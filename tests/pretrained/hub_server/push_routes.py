"""What a push asks for."""

from __future__ import annotations

import base64
import json
from typing import Any

from pretrained.hub_server.exchange import Exchange
from pretrained.hub_server.repository import HubError, etag, is_lfs, sha256


class PushRoutes(Exchange):
    """A route returns JSON, or answers itself."""

    def create_repo(self) -> dict[str, Any] | None:
        self.check_token(required=True)
        wish = json.loads(self.body)
        repo_id = f"{wish.get('organization') or self.hub.owner}/{wish['name']}"
        address = {"url": f"{self.hub.url}/{repo_id}", "name": repo_id}
        if repo_id in self.hub.repositories:
            message = "You already created this model repo"
            self.send_json({"error": message, **address}, 409, {"X-Error-Message": message})
            return None
        self.check_namespace(repo_id)
        self.hub.add(repo_id, {".gitattributes": b""}, private=wish.get("visibility") == "private")
        return address

    def validate_yaml(self) -> dict[str, Any]:
        return {"errors": [], "warnings": []}

    def preupload(self, repo_id: str, revision: str) -> dict[str, Any]:
        repository = self.writable(repo_id)
        present = repository.commits[repository.resolve(revision)]
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if is_lfs(file["path"]) else "regular",
                    "shouldIgnore": False,
                    "oid": etag(file["path"], present[file["path"]])
                    if file["path"] in present
                    else None,
                }
                for file in json.loads(self.body)["files"]
            ]
        }

    def lfs_batch(self, repo_id: str) -> dict[str, Any]:
        self.writable(repo_id)
        objects = [
            item
            if item["oid"] in self.hub.uploads
            else {
                **item,
                "actions": {"upload": {"href": f"{self.hub.storage_url}/upload/{item['oid']}"}},
            }
            for item in json.loads(self.body)["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def upload(self, oid: str) -> dict[str, Any]:
        self.check_signed_address()
        if sha256(self.body) != oid:
            raise HubError(400, "the content does not have the announced SHA-256")
        self.hub.uploads[oid] = self.body
        return {}

    def commit(self, repo_id: str, branch: str) -> dict[str, Any] | None:
        repository = self.writable(repo_id)
        if self.hub.faults.pop((repo_id, "commit"), None):
            self.close_connection = True
            return None
        files = dict(repository.commits[repository.resolve(branch)])
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        sha = repository.commit(branch, files)
        return {"commitUrl": f"{self.hub.url}/{repo_id}/commit/{sha}", "commitOid": sha}

    def create_branch(self, repo_id: str, branch: str) -> dict[str, Any]:
        start = json.loads(self.body).get("startingPoint", "main")
        return self.new_ref(repo_id, branch, start)

    def create_tag(self, repo_id: str, revision: str) -> dict[str, Any]:
        name = json.loads(self.body)["tag"]
        reply = self.new_ref(repo_id, name, revision)
        self.hub.repositories[repo_id].tags.append(name)
        return reply

    def new_ref(self, repo_id: str, name: str, revision: str) -> dict[str, Any]:
        repository = self.writable(repo_id)
        if name in repository.refs:
            raise HubError(409, "Reference already exists")
        repository.refs[name] = repository.resolve(revision)
        return {}
