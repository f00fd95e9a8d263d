# SPDX-License-Identifier: Apache-2.0
"""Images in a malicious registry: only blobs listed in manifests are downloaded, and signals end the download."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.misbehaving_registry import Handler, Misbehaving, Start, misbehaving
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.imageread import registry

_ = misbehaving  # a fixture
OCI = "application/vnd.oci.image."
BLOB = b"blob" * 1000


@pytest.fixture(autouse=True)
def _skopeo() -> None:
    need("skopeo")


def descriptor(data: bytes, kind: str, **others: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": image_runs.sha256(data), "size": len(data)} | others


def manifest(**layer: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": f"{OCI}manifest.v1+json",
        "config": descriptor(b"{}", f"{OCI}config.v1+json"),
        "layers": [descriptor(BLOB, f"{OCI}layer.v1.tar+gzip", **layer)],
    }


def index(*manifests: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": list(manifests)}


def serve(start: Start, *documents: Any, blob: Callable[[Handler], None] | None = None) -> Misbehaving:
    """Start a registry with *documents*, the last of which is x:1; *blob* sends the layer."""

    def fault(handler: Handler) -> bool:
        digest = handler.path.rpartition("/")[2]
        if "/blobs/" not in handler.path:
            return False
        if digest == image_runs.sha256(BLOB) and blob is not None:
            blob(handler)
        else:
            handler.answer(200, BLOB if digest == image_runs.sha256(BLOB) else b"{}")
        return True

    server = start(fault)
    for document in documents:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        kind = document["mediaType"] if isinstance(document, dict) else f"{OCI}manifest.v1+json"
        server.manifests[image_runs.sha256(data)] = server.manifests["1"] = (kind, data)
    return server


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    for _ in range(1 << 14):  # 16 GiB
        handler.wfile.write(bytes(1 << 20))


def fetched(server: Misbehaving, folder: Path) -> dict[str, bytes]:
    registry.fetch(f"{server.host}/x:1", folder)
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in folder.iterdir()}


def test_an_index_is_fetched_with_all_its_images(misbehaving: Start, tmp_path: Path) -> None:
    child = json.dumps(manifest()).encode()
    top = index(descriptor(child, f"{OCI}manifest.v1+json", platform={"os": "windows", "architecture": "amd64"}))
    found = fetched(serve(misbehaving, child, top), tmp_path)
    assert {BLOB, b"{}", child, json.dumps(top).encode()} <= set(found.values())


def test_the_hint_for_an_image_that_the_registry_lacks_is_the_name(tmp_path: Path) -> None:
    reason = "reading manifest 2 in r/x: manifest unknown: manifest unknown"
    error = registry.Skopeo("skopeo", tmp_path, 1, "docker://r/x:2", "r").error(reason)
    assert isinstance(error, registry.NotFoundError)
    assert "; hint: r has no such image; check the name and the tag" in str(error)


def test_a_transient_error_is_retried(misbehaving: Start, tmp_path: Path) -> None:
    failed: list[int] = []

    def fail(handler: Handler) -> None:
        failed.append(500)
        handler.answer(*([500] if len(failed) < 3 else [200, BLOB]))

    found = fetched(serve(misbehaving, manifest(), blob=fail), tmp_path)
    assert len(failed) == 3
    assert BLOB in found.values()


@pytest.mark.parametrize("size", [len(BLOB), 1])
def test_an_endless_blob_is_refused(size: int, misbehaving: Start, tmp_path: Path) -> None:
    server = serve(misbehaving, manifest(size=size), blob=endless)
    with pytest.raises(GeneratorError, match=r"sends more than the [\d,]+ bytes listed in its manifests"):
        fetched(server, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1 << 30


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (manifest(size=1 << 60), "its blobs have 1,152,921,504,606,8"),
        (manifest(size=-1), "invalid descriptor"),
        (manifest(digest="sha256:../x"), "invalid descriptor"),
        (manifest() | {"layers": manifest()["layers"] * 501}, "too many manifests or blobs"),
        (index(*[descriptor(BLOB, f"{OCI}manifest.v1+json")] * 201), "too many manifests or blobs"),
        (b"[" * 100_000, "invalid manifest"),
    ],
    ids=["too much", "less than nothing", "no digest", "blobs", "manifests", "no document"],
)
def test_too_many_or_too_large_blobs_are_refused_before_the_download(
    document: Any, said: str, misbehaving: Start, tmp_path: Path
) -> None:
    server = serve(misbehaving, document, blob=endless)
    with pytest.raises(GeneratorError) as refused:
        fetched(server, tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_skopeo_and_leaves_nothing(number: int, misbehaving: Start, tmp_path: Path) -> None:
    started: list[int] = []

    def hang(handler: Handler) -> None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        started.extend(map(int, children.split()))
        process.send_signal(number)
        handler.server.released.wait()
        handler.close_connection = True

    server = serve(misbehaving, manifest(), blob=hang)
    # Whoever runs the tests in the background has them ignore SIGINT, and all that they start.
    words = ["env", "--default-signal=INT", sys.executable, "-m", "generator", "check-image"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*words, f"docker://{server.host}/x:1"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        said, _ = process.communicate()
    assert (process.returncode, said) == (128 + number, b"")
    assert started
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_removes_a_runs_partial_output(tmp_path: Path) -> None:
    program = """
import os, pathlib, signal, sys
from generator.base.workspace import workspace
with workspace(pathlib.Path(sys.argv[1], "a/b")) as work:
    (work / "half").write_text("x")
    os.kill(os.getpid(), signal.SIGTERM)
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=env, check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("x509: certificate is valid for localhost, not r", "use a name in the certificate"),
        ("x509: certificate is not valid for any names, but wanted to match r", "use a name in the certificate"),
        ("x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs", "use a name in"),
        ("x509: certificate has expired or is not yet valid: current time", "renew the certificate of r"),
        ("x509: certificate signed by unknown authority", "put the certificate of r's authority into"),
    ],
)
def test_the_hint_fits_the_fault_of_a_certificate(reason: str, hint: str, tmp_path: Path) -> None:
    error = registry.Skopeo("skopeo", tmp_path, 1, "docker://r/x", "r").error(f'Get "https://r/v2/": {reason}')
    assert f"; hint: {hint}" in str(error)
