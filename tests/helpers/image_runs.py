# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command `image` share: sources, the command, and a registry on the loopback address."""

import atexit
import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from generator.builder.wire import ROOT
from generator.image import Options, make

from .counts import THOROUGH, only_thorough
from .programs import pe
from .support import extract, lack, need, serve, wait_until

GO_TESTS = ROOT / "tests/languages/go"
CRANE = "github.com/google/go-containerregistry/cmd/crane"
BUILDING = 1500  # seconds that one may take to build where nothing of it was built before
USER, PASSWORD = "user", "password"
_HTPASSWD = "user:$2b$04$D283lme0Zl/eLo64WKTNaeD9DB5BBjV.0idRE86cEVA3YxMDfNpj2\n"  # bcrypt of them


def run(*command: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of others, which must succeed."""
    done = attempt(*command, **settings)
    assert done.returncode == 0, (command, done.stderr)
    return done


def attempt(*command: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    settings = {"capture_output": True, "text": True} | settings
    return subprocess.run([str(word) for word in command], check=False, **settings)


def command(*words: object, folder: Path, name: str = "image", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m generator image` in *folder*, or another command."""
    env = (
        os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": cache()} | environment
    )
    return attempt(sys.executable, "-m", "generator", name, *words, cwd=folder, env=env)


@functools.cache
def cache() -> str:
    """Return a temporary cache folder for this run, separate from the user's cache."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sources(folder: Path) -> Path:
    """Make a program and a folder of files with a link in *folder*, and return it."""
    folder.mkdir(exist_ok=True)
    (folder / "hello.exe").write_bytes(pe() + bytes(range(256)) * 400)
    (folder / "conf/deep").mkdir(parents=True)
    (folder / "conf/hello.toml").write_text("a = 1\n")
    (folder / "conf/deep/ärger.txt").write_text("ä")
    (folder / "conf/link.toml").symlink_to("hello.toml")
    return folder


def made(folder: Path, *to: str, **options: Any) -> tuple[str, ...]:
    """Make an image of the sources in *folder* and return its references."""
    given = {"source": (f"{folder}/hello.exe", rf"{folder}/conf:C:\conf"), "entrypoint": ("hello.exe",)} | options
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", cache())
        return make(Options(to=to, **given), note=lambda _: None).references


def digest_of(reference: str) -> str:
    return reference.rpartition("@")[2]


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob(layout: Path, digest: str) -> bytes:
    data = (layout / "blobs" / digest.replace(":", "/")).read_bytes()
    assert sha256(data) == digest
    return data


def document(layout: Path, digest: str) -> Any:
    return json.loads(blob(layout, digest))


def named(layout: Path) -> dict[str, Any]:
    """Return the descriptors of a layout's index by name."""
    index = json.loads((layout / "index.json").read_text())
    return {
        (each.get("annotations") or {}).get("org.opencontainers.image.ref.name", ""): each
        for each in index["manifests"]
    }


def assert_whole(layout: Path) -> None:
    """Whatever the index and Docker's list point at is there, and is what its digest says."""

    def walk(descriptor: dict[str, Any]) -> None:
        data = blob(layout, descriptor["digest"])
        assert len(data) == descriptor["size"]
        if re.search(r"(manifest|index|list)\.v[12]\+json$", descriptor["mediaType"]):
            found = json.loads(data)
            for each in [*found.get("manifests", []), *found.get("layers", []), *filter(None, [found.get("config")])]:
                walk(each)

    for each in json.loads((layout / "index.json").read_text())["manifests"]:
        walk(each)
    for each in json.loads((layout / "manifest.json").read_text()):
        for path in (each["Config"], *each["Layers"]):
            assert sha256((layout / path).read_bytes()) == "sha256:" + path.rpartition("/")[2]


def tree(folder: Path) -> dict[str, bytes | str]:
    """Return every file below *folder*, and links by their targets."""
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        extract(tar, folder)
    return folder


@functools.cache
def go_tool(package: str, *options: str, folder: Path = GO_TESTS) -> Path:
    """Build a program of the module in *folder*, third-party ones only if thorough; return its path."""
    if folder != GO_TESTS and not THOROUGH:
        pytest.skip(only_thorough("builds a third-party program from source"))
    path = Path(cache(), package.rpartition("/")[2])
    run(need("go"), "build", *options, "-o", path, package, cwd=folder, timeout=BUILDING)
    return path


def buildah(top: Path) -> list[str]:
    """Return the start of a command to a buildah that can build for Windows; its storage is in *top*."""
    if os.geteuid() != 0:
        lack("buildah needs root here")
    (top / "netavark").write_text("#!/bin/sh\n")  # asked for, and never run, since no program is
    (top / "netavark").chmod(0o755)
    (top / "containers.conf").write_text(f'[engine]\nhelper_binaries_dir = ["{top}"]\n')
    tags = "containers_image_openpgp exclude_graphdriver_btrfs"
    path = go_tool("go.podman.io/buildah/cmd/buildah", "-tags", tags, folder=ROOT / "tests/interop/buildah")
    settings = (f"CONTAINERS_CONF={top}/containers.conf", f"TMPDIR={top}")
    where = ("--storage-driver", "vfs", "--root", f"{top}/root", "--runroot", f"{top}/run")
    return ["env", "-u", "CONTAINERS_STORAGE_CONF", *settings, str(path), *where]


class Registry(NamedTuple):
    """A registry that runs; *options* are what the skopeo of a test needs to reach it."""

    host: str
    options: tuple[str, ...]
    environment: dict[str, str]


@contextlib.contextmanager
def registry(folder: Path, *, secured: bool = False) -> Iterator[Registry]:
    """Run Debian's registry on the loopback address, *secured* by TLS and basic authentication."""
    folder.mkdir()
    port = free_port()
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}"}
    content = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(folder / "data")}}, "http": http}
    content["validation"] = {"manifests": {"urls": {"allow": ["^https://"]}}}  # of foreign layers
    options: tuple[str, ...] = ("--tls-verify=false",)
    environment = {}
    if secured:
        environment = {"SSL_CERT_FILE": str(certificate(folder)), "REGISTRY_AUTH_FILE": str(folder / "auth.json")}
        http["tls"] = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
        (folder / "htpasswd").write_text(_HTPASSWD)
        content["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        options = ()
    (folder / "config.yml").write_text(json.dumps(content))
    process = serve(folder / "config.yml", folder / "log")
    try:
        wait_until(lambda: process.poll() is not None or not socket.socket().connect_ex(("127.0.0.1", port)))
        assert process.poll() is None, (folder / "log").read_text()
        yield Registry(f"localhost:{port}", options, environment)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def certificate(folder: Path) -> Path:
    """Make a certificate for this machine, which is its own authority, in *folder*."""
    path = folder / "cert.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run(
        need("openssl"), *words, "-subj", "/CN=localhost", "-addext", names, "-keyout", folder / "key.pem", "-out", path
    )
    return path


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
