# SPDX-License-Identifier: Apache-2.0
"""Bases built as Microsoft builds its own, in registries and layouts: Docker's manifests in Docker's list."""

import base64
import gzip
import json
import random
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .counts import count
from .image_runs import PASSWORD, USER, Registry, sha256
from .layouts import RECORDS, ROOTS, Part, base, directory, parts_of, tarred
from .programs import pe

DOCKER = "application/vnd.docker."
MANIFEST, LIST = f"{DOCKER}distribution.manifest.v2+json", f"{DOCKER}distribution.manifest.list.v2+json"
CONFIG = f"{DOCKER}container.image.v1+json"
LAYER, FOREIGN = f"{DOCKER}image.rootfs.diff.tar.gzip", f"{DOCKER}image.rootfs.foreign.diff.tar.gzip"
VERSIONS = ("10.0.17763.5122", "10.0.20348.2113", "10.0.20348.2322")
SIZE = count(2 << 20, 100 << 20)  # bytes of the upper layer
_URL = "https://blobs.example/layer"


class Document(NamedTuple):
    """A manifest or a list, and its media type."""

    data: bytes
    kind: str

    @property
    def digest(self) -> str:
        return sha256(self.data)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.kind, "size": len(self.data), "digest": self.digest}


class BaseImage(NamedTuple):
    """A base: its list or manifest, last of *documents*, and its blobs by digest."""

    documents: list[Document]
    blobs: dict[str, bytes]

    @property
    def top(self) -> Document:
        return self.documents[-1]


def windows() -> bytes:
    """Return the tar of a lowest layer that has a Windows, as far as rules look for one."""
    system = "Files/Windows/System32/"
    files = [Part(f"{system}{name}", pe(), records=RECORDS) for name in ("ntdll.dll", "kernel32.dll", "cmd.exe")]
    return tarred([*parts_of(base("hostprocess")), *files])


def update(seed: int, size: int) -> bytes:
    """Return the tar of a layer on top with a file of *size* bytes, a folder and a link."""
    folder = [directory("Files/Users", **RECORDS), directory("Files/Users/Public", **RECORDS)]
    data = random.Random(seed).randbytes(size)  # noqa: S311
    return tarred([*ROOTS, *folder, Part("Files/Users/Public/update.bin", data)])


def config(version: str, diff_ids: Iterable[str], **fields: Any) -> dict[str, Any]:
    """Return a configuration as Microsoft's, with a field that nobody knows."""
    time = "2023-11-14T00:00:00Z"
    settings = {
        "Env": [r"Path=C:\Windows\System32;C:\Windows", r"TEMP=C:\Temp"],
        "Cmd": [r"c:\windows\system32\cmd.exe"],
        "User": "ContainerUser",
    }
    return {
        "architecture": "amd64",
        "os": "windows",
        "os.version": version,
        "created": time,
        "config": settings,
        "history": [
            {"created": time, "created_by": "Apply image 10.0.20348.1"},
            {"created": time, "created_by": f"Install update {version}"},
        ],
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "x.unknown": {"kept": ["as", 1, "t"]},
    } | fields


def image(version: str = VERSIONS[0], *, foreign: bool = False, size: int = 1000, **fields: Any) -> BaseImage:
    """Return a base for one platform, of two layers, the lower one *foreign* if asked for."""
    tars = [windows(), update(VERSIONS.index(version) if version in VERSIONS else 9, size)]
    blobs = [gzip.compress(tar, 1, mtime=0) for tar in tars]
    layers = [{"mediaType": LAYER, "size": len(blob), "digest": sha256(blob)} for blob in blobs]
    stored = {sha256(blob): blob for blob in blobs}
    if foreign:
        layers[0] |= {"mediaType": FOREIGN, "urls": [_URL]}
        del stored[sha256(blobs[0])]
    made = json.dumps(config(version, map(sha256, tars), **fields)).encode()
    pointer = {"mediaType": CONFIG, "size": len(made), "digest": sha256(made)}
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": pointer, "layers": layers}
    return BaseImage([Document(json.dumps(content, indent=3).encode(), MANIFEST)], stored | {sha256(made): made})


def listed(images: Mapping[str, BaseImage]) -> BaseImage:
    """Return a manifest list of *images* by version."""
    entries = [
        each.top.descriptor | {"platform": {"architecture": "amd64", "os": "windows", "os.version": version}}
        for version, each in images.items()
    ]
    content = {"schemaVersion": 2, "mediaType": LIST, "manifests": entries}
    documents = [document for each in images.values() for document in each.documents]
    blobs = {digest: blob for each in images.values() for digest, blob in each.blobs.items()}
    return BaseImage([*documents, Document(json.dumps(content).encode(), LIST)], blobs)


def microsofts(size: int = 1000) -> BaseImage:
    """Return a base with three versions of Windows."""
    return listed({version: image(version, size=size) for version in VERSIONS})


class Repository(NamedTuple):
    """A repository of a registry, asked without skopeo."""

    registry: Registry
    name: str

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> bytes:
        """Send a request and return the answer's body; raises urllib.error.HTTPError."""
        environment = self.registry.environment
        secure = "SSL_CERT_FILE" in environment
        url = path if "://" in path else f"{'https' if secure else 'http'}://{self.registry.host}/v2/{self.name}/{path}"
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        asked = urllib.request.Request(url, data, fields, method=method)  # noqa: S310
        context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]) if secure else None
        if secure:
            account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            asked.add_header("Authorization", f"Basic {account}")
        with urllib.request.urlopen(asked, context=context) as answer:  # noqa: S310
            return bytes(answer.read()) or str(answer.headers.get("Location", "")).encode()

    def push(self, pushed: BaseImage, tag: str) -> str:
        """Push a base, and return its name; blobs of foreign layers are not pushed."""
        for digest, blob in pushed.blobs.items():
            place = self.ask("POST", "blobs/uploads/", b"").decode()
            mark = "&" if "?" in place else "?"
            self.ask("PUT", f"{place}{mark}digest={digest}", blob, Content_Type="application/octet-stream")
        for document in pushed.documents:
            self.ask("PUT", f"manifests/{document.digest}", document.data, Content_Type=document.kind)
        self.ask("PUT", f"manifests/{tag}", pushed.top.data, Content_Type=pushed.top.kind)
        return f"docker://{self.registry.host}/{self.name}:{tag}"

    def tags(self) -> dict[str, str]:
        """Return the digest of each tag; nothing if there is no such repository."""
        try:
            names = json.loads(self.ask("GET", "tags/list"))["tags"] or []
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return {}
        return {name: sha256(self.manifest(name)) for name in names}

    def manifest(self, name: str) -> bytes:
        """Return a manifest or index as stored."""
        kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
        return self.ask("GET", f"manifests/{name}", Accept=f"{kinds}, {MANIFEST}, {LIST}")


def layout(made: BaseImage, folder: Path, name: str = "1") -> str:
    """Write a base to a new layout, and return its name."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for data in (*made.blobs.values(), *(each.data for each in made.documents)):
        (blobs / sha256(data).removeprefix("sha256:")).write_bytes(data)
    entry = made.top.descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return f"oci:{folder}:{name}"
