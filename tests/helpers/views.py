# SPDX-License-Identifier: Apache-2.0
"""What tests of views share: what a command says, and layers, hives and images to show."""

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from generator.builder.wire import ROOT
from generator.cli import parser

SCHEMAS = {
    name: json.loads((ROOT / f"generator/views/{name}.schema.json").read_text("utf-8")) for name in ("inspect", "diff")
}


def said(*words: str | Path) -> tuple[int, bytes]:
    """Return the status of a command and what it gives its user, who sees no terminal."""
    kept = io.BytesIO()
    out = io.TextIOWrapper(kept, "utf-8", newline="", write_through=True)
    with contextlib.redirect_stdout(out):
        status = parser.main([str(word) for word in words])
    out.detach()
    return status, kept.getvalue()


def lines(*words: str | Path, status: int = 0) -> list[str]:
    """Return the lines of a command that ends in *status*."""
    found, text = said(*words)
    assert found == status, text.decode()
    return text.decode().splitlines()


def document(*words: str | Path, status: int = 0) -> Any:
    """Return a command's JSON, once it is as its schema says."""
    found, text = said(*words, "--json")
    assert found == status
    made = json.loads(text)
    jsonschema.validate(made, SCHEMAS[str(words[0])])
    return made


def tar(entries: Sequence[tuple[str, bytes | None, Mapping[str, str]]]) -> bytes:
    """Return a tar of directories, which have no content, and files, each with PAX records."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content, records in entries:
            entry = tarfile.TarInfo(path)
            entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            entry.size = len(content or b"")
            entry.pax_headers = dict(records)
            archive.addfile(entry, io.BytesIO(content or b""))
    return kept.getvalue()


def layout(folder: Path, layers: Sequence[bytes], *, config: Mapping[str, Any] | None = None) -> Path:
    """Write an OCI layout of one image with the tags `new` and *layers*, tars that are compressed here."""
    (folder / "blobs/sha256").mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers]
    known = {"architecture": "amd64", "os": "windows", "rootfs": {"type": "layers", "diff_ids": ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(known | dict(config or {})).encode(), "config.v1+json"),
        "layers": [blob(gzip.compress(data, mtime=0), "layer.v1.tar+gzip") for data in layers],
    }
    described = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    described["annotations"] = {"org.opencontainers.image.ref.name": "new"}
    architecture = (known | dict(config or {}))["architecture"]
    described["platform"] = {"architecture": architecture, "os": "windows", "os.version": "10.0.20348.1"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def index(folder: Path, layouts: Sequence[Path]) -> Path:
    """Write an OCI layout of one index, with the tag `all`, of the images of *layouts*."""
    listed = []
    for each in layouts:
        shutil.copytree(each, folder, dirs_exist_ok=True)
        listed += json.loads((each / "index.json").read_text())["manifests"]
    data = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(data)
    described = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": f"sha256:{digest}",
        "size": len(data),
        "annotations": {"org.opencontainers.image.ref.name": "all"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    return folder
