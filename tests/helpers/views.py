# SPDX-License-Identifier: Apache-2.0
"""Run `inspect`, `diff` and other commands in tests, and make tars and OCI layouts to show."""

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


def run(*words: str | Path) -> tuple[int, bytes]:
    """Return the exit status of a command and its standard output, which is not a terminal."""
    kept = io.BytesIO()
    out = io.TextIOWrapper(kept, "utf-8", newline="", write_through=True)
    with contextlib.redirect_stdout(out):
        status = parser.main([str(word) for word in words])
    out.detach()
    return status, kept.getvalue()


def printed(*words: str | Path, status: int = 0) -> list[str]:
    """Return the lines that a command prints; fail unless it exits with *status*."""
    found, text = run(*words)
    assert found == status, text.decode()
    return text.decode().splitlines()


def document(*words: str | Path, status: int = 0) -> Any:
    """Return a command's JSON document; fail unless it matches its schema."""
    found, text = run(*words, "--json")
    assert found == status
    made = json.loads(text)
    jsonschema.validate(made, SCHEMAS[str(words[0])])
    return made


def tar(entries: Sequence[tuple[str, bytes | None, Mapping[str, str]]]) -> bytes:
    """Return a tar of directories (content None) and files, each with PAX records."""
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
    """Write an OCI layout of one image tagged `new` from the tars *layers*, compressing them; return its path."""
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
    """Write an OCI layout of one index tagged `all` with the images of *layouts*; return its path."""
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
