# SPDX-License-Identifier: Apache-2.0
"""check-image on indexes in a registry, also those that skopeo cannot copy."""

import json
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from helpers.committed_modules import registry as run_registry
from helpers.image_checks import checked
from helpers.image_indexes import BUILDKIT, INDEX, LINUX, MANIFEST, artifact, linux
from helpers.layouts import OCI, Layout, base, sha256
from helpers.registry_proxy import LoopbackServer
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.imagecheck import command
from generator.imageread import registry
from generator.imageread.images import images


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("skopeo")
    with run_registry(tmp_path_factory.mktemp("registry")) as where:
        yield where


def put(url: str, data: bytes, kind: str, method: str = "PUT") -> str:
    """Send *data*; return the Location of the answer."""
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)  # noqa: S310 - a registry here
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return str(answer.headers.get("Location", ""))


def push(address: str, name: str, layout: Layout, entries: list[dict[str, Any]], **more: Any) -> str:
    """Push the manifests *entries*, all blobs of *layout*, and an index of them; return its name."""
    api = f"http://{address}/v2/{name}"
    layout.write()
    blobs = {sha256(data := path.read_bytes()): data for path in (layout.folder / "blobs/sha256").iterdir()}
    for digest, data in blobs.items():
        place = put(f"{api}/blobs/uploads/", b"", "application/octet-stream", "POST")
        put(f"{place}{'&' if '?' in place else '?'}digest={digest}", data, "application/octet-stream")
    for entry in entries:
        put(f"{api}/manifests/{entry['digest']}", blobs[entry["digest"]], entry["mediaType"])
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, **more}
    put(f"{api}/manifests/t", json.dumps(index).encode(), INDEX)
    return f"docker://{address}/{name}:t"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "image", [base()])
    layout.write()
    return layout


def windows(layout: Layout) -> dict[str, Any]:
    (entry,) = layout.index["manifests"]
    return {key: value for key, value in entry.items() if key != "annotations"}


def test_the_windows_images_of_an_index_are_fetched_alone(
    address: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = linux(layout) | {"platform": LINUX}
    name = push(address, "a/mixed", layout, [other, windows(layout)])
    fetched: list[set[str]] = []
    fetch = registry.fetch

    def count(name: str, work: Path, **options: Any) -> None:
        fetch(name, work, **options)
        fetched.append({path.name for path in work.iterdir()})

    monkeypatch.setattr(registry, "fetch", count)
    status, (image,) = checked(name)
    assert (status, image["findings"], [each["what"] for each in image["passed_over"]]) == (0, [], ["linux/amd64"])
    config = json.loads(layout.blob(b"{}").with_name(other["digest"][7:]).read_text())["config"]["digest"]
    assert config[7:] not in fetched[0]


FIELDS: dict[str, dict[str, Any]] = {
    "a field of the index": {"artifactType": "text/x"},
    "a field that nobody knows": {"x-unknown": [1]},
    "a subject": {"subject": Layout.point(b"", MANIFEST)},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_an_index_that_skopeo_cannot_copy_unchanged_is_checked(
    fields: dict[str, Any], address: str, layout: Layout, tmp_path: Path
) -> None:
    entry = windows(layout) | {"x-unknown": "y", "data": "e30="}
    name = push(address, "a/odd", layout, [entry], **fields)
    copy = ["copy", "--quiet", "--all", "--preserve-digests", "--src-tls-verify=false", name, f"dir:{tmp_path}/copy"]
    if subprocess.run(["skopeo", *copy], check=False, capture_output=True).returncode == 0:
        pytest.skip("this skopeo copies it")
    status, (image,) = checked(name)
    assert (status, image["good"], image["digest"], image["findings"]) == (0, True, entry["digest"], [])


def test_an_index_in_an_index_is_fetched_image_by_image(address: str, layout: Layout) -> None:
    other = linux(layout) | {"platform": LINUX}
    inner = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, windows(layout)]}
    data = layout.blob(json.dumps(inner).encode()).read_bytes()
    entries = [windows(layout) | {"x-unknown": 1}, Layout.point(data, INDEX)]
    push(address, "a/deep", layout, [other, windows(layout)])
    name = push(address, "a/deep", layout, entries)
    status, images = checked(name)
    assert (status, {each["digest"] for each in images}) == (0, {entries[0]["digest"]})


def test_artifacts_and_attestations_of_a_registrys_index_are_passed_over(address: str, layout: Layout) -> None:
    entries = [artifact(layout, "text/spdx"), artifact(layout) | BUILDKIT, windows(layout)]
    name = push(address, "a/artifacts", layout, entries)
    status, (image,) = checked(name)
    assert (status, image["good"], len(image["passed_over"])) == (0, True, 2)


def test_a_registrys_index_without_windows_is_refused_in_one_line(address: str, layout: Layout) -> None:
    name = push(address, "a/linux", layout, [linux(layout) | {"platform": LINUX}])
    said: list[str] = []
    assert command.report([name], say=said.append) == 1
    assert [line.startswith(f"{name}: refused: no image for Windows; there is linux/amd64") for line in said] == [True]


def test_an_image_that_skopeo_refuses_is_an_error_with_its_reason(address: str, layout: Layout) -> None:
    layout.manifest["mediaType"] = layout.kinds["manifest"] = "application/vnd.docker.distribution.manifest.v2+json"
    layout.index.pop("manifests")
    layout.write()
    name = push(address, "a/types", layout, [windows(layout) | {"x-unknown": 1}])
    with pytest.raises(GeneratorError, match="unsupported docker v2s2 media type"):
        checked(name)
    assert f"{OCI}config.v1+json" in json.dumps(layout.manifest)


class _Plain(BaseHTTPRequestHandler):
    """An empty registry without TLS."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_the_error_for_a_registry_without_tls_names_the_option_or_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("skopeo")
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's name leads nowhere")
    if name == "localhost":
        pytest.skip("this machine is called localhost, which needs no TLS")
    server = LoopbackServer(_Plain, address)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"{name}:{server.server_port}"
    conf = tmp_path / ".config/containers/registries.conf"
    conf.parent.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        name = f"docker://{host}/a/b:1"
        with pytest.raises(GeneratorError, match=f"; if you trust the network to it, give --plain-http {host}$"):
            checked(name)
        with pytest.raises(GeneratorError) as error:
            command.report([name], plain_http=[host])
        assert "TLS" not in str(error.value)  # it has answered
        with pytest.raises(GeneratorError) as error, images(name):  # as commands without the option open it
            pass
        lines = ("[[registry]]", f'location = "{host}"', "insecure = true")
        assert all(line in str(error.value) for line in ("/etc/containers", *lines))
        conf.write_text("\n".join(lines))
        with pytest.raises(GeneratorError) as error:
            checked(name)
        assert "TLS" not in str(error.value)
    finally:
        server.shutdown()
        server.server_close()
