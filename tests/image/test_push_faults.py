# SPDX-License-Identifier: Apache-2.0
"""Pushes to registries that refuse, hang or answer wrongly: one line, no tag and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.misbehaving_registry import Handler, Start, misbehaving
from helpers.support import HANG, group_members, need, wait_until

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT

_ = misbehaving  # a fixture
SEVERAL = ("windows/amd64", "windows/amd64:10.0.20348", "windows/arm64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


def refused(folder: Path, host: str, tmp_path: Path, seconds: int = HANG) -> str:
    """Push by the command to a registry that fails; return the error, of one line."""
    need("skopeo")
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    words = ("hello.exe", "--to", f"docker://{host}/hello:1")
    settings = {
        "TMPDIR": str(temporary),
        "WINSCRATCH_TIMEOUT": str(seconds),
        "REGISTRY_AUTH_FILE": str(tmp_path / "none.json"),
    }
    done = image_runs.command(*words, folder=folder, **settings)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: docker://{host}/hello:1: ")
    assert list(temporary.iterdir()) == []
    return done.stderr


def test_blobs_are_pushed_before_manifests_and_tags(misbehaving: Start, folder: Path) -> None:
    server = misbehaving(lambda _: False)
    image_runs.made(folder, f"docker://{server.host}/hello:1", platform=SEVERAL)
    assert server.early == []
    assert [name.startswith("sha256:") for name in server.manifests] == [True, True, True, False]  # the tag last


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "UNAUTHORIZED", "skopeo login"),
        (403, "DENIED", "skopeo login"),
        (404, "NAME_UNKNOWN", "right registry"),
        (429, "TOOMANYREQUESTS", "later"),
        (500, "UNKNOWN", "right registry"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_http_error_is_one_line_with_a_hint(
    status: int, code: str, hint: str, method: str, misbehaving: Start, folder: Path, tmp_path: Path
) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command != method or (method == "PUT" and "/manifests/" not in handler.path):
            return False
        handler.read()
        content = json.dumps({"errors": [{"code": code, "message": "a\nb"}]}).encode()
        handler.answer(status, content if method == "POST" else b"", Retry_After="0")
        return True

    server = misbehaving(fault)
    # skopeo retries on 429.
    said = refused(folder, server.host, tmp_path, 4 if status == 429 else HANG)
    assert hint in said or (status == 429 and "did not end within 4 s" in said), said
    assert server.manifests == {}  # no tag


@pytest.mark.parametrize(("status", "code"), [(500, "UNKNOWN"), (503, ""), (400, "DIGEST_INVALID")])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "PUT"])
@pytest.mark.parametrize("platforms", [SEVERAL[:1], SEVERAL], ids=["image", "index"])
def test_a_transient_error_is_retried(
    platforms: tuple[str, ...], method: str, status: int, code: str, misbehaving: Start, folder: Path
) -> None:
    """A registry with files truncates links while it writes them: others then read an invalid digest."""
    if status == 400 and method != "PUT":
        pytest.skip("an error of manifests alone")
    left = [method] * 2

    def fault(handler: Handler) -> bool:
        if handler.command != method or (method == "PUT" and not handler.path.endswith("/manifests/1")) or not left:
            return False
        left.pop()
        handler.read()
        content = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
        handler.answer(status, content if code else b"")
        return True

    server = misbehaving(fault)
    image_runs.made(folder, f"docker://{server.host}/hello:1", platform=platforms)
    assert left == []
    assert "1" in server.manifests


def test_an_index_that_a_registry_rejects_is_its_reason(misbehaving: Start, folder: Path) -> None:
    """skopeo's last error is that it may not convert the index."""

    def fault(handler: Handler) -> bool:
        if handler.command != "PUT" or not handler.path.endswith("/manifests/1"):
            return False
        handler.read()
        handler.answer(403, json.dumps({"errors": [{"code": "DENIED", "message": "quota"}]}).encode())
        return True

    server = misbehaving(fault)
    with pytest.raises(GeneratorError) as error:
        image_runs.made(folder, f"docker://{server.host}/hello:1", platform=SEVERAL)
    assert str(error.value) == (
        f"docker://{server.host}/hello:1: uploading manifest 1 to {server.host}/hello: denied: quota; "
        f"hint: log in to an account with that permission: skopeo login {server.host}"
    )


def test_an_unreachable_registry_is_an_error_of_one_line(folder: Path, tmp_path: Path) -> None:
    assert "connection refused" in refused(folder, f"localhost:{image_runs.free_port()}", tmp_path)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
def test_a_registry_that_hangs_is_a_timeout(method: str, misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == method:
            handler.server.released.wait()
            handler.close_connection = True
            return True
        return False

    said = refused(folder, misbehaving(fault).host, tmp_path, 3)
    assert "skopeo did not end within 3 s; hint: check that " in said


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_closed_connection_leaves_no_tag(method: str, misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command != method:
            return False
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True
        return True

    server = misbehaving(fault)
    refused(folder, server.host, tmp_path)
    assert server.manifests == {}


def test_a_registry_that_returns_another_image_is_an_error(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == "GET" and "/manifests/" in handler.path and handler.server.manifests:
            kind, data = handler.server.manifests["1"]
            handler.answer(200, data + b"\n", Content_Type=kind)
            return True
        return False

    assert "the registry has sha256:" in refused(folder, misbehaving(fault).host, tmp_path)


def test_messages_of_a_registry_are_escaped_and_shortened(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == "POST":
            message = "\x1b[31m::error::x" + "y" * 5000
            handler.answer(400, json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode())
            return True
        return False

    said = refused(folder, misbehaving(fault).host, tmp_path)
    assert "\x1b" not in said
    assert len(said) < 700


def test_an_interrupt_ends_the_push_and_leaves_no_files(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    reached = threading.Event()

    def fault(handler: Handler) -> bool:
        if handler.command != "PATCH":
            return False
        reached.set()
        handler.server.released.wait()
        handler.close_connection = True
        return True

    host = misbehaving(fault).host
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": image_runs.cache()}
    # Background jobs and their children ignore SIGINT.
    words = ["env", "--default-signal=INT", sys.executable, "-m", "generator", "image", "hello.exe"]
    with subprocess.Popen(
        [*words, "--to", f"docker://{host}/hello:1"],
        cwd=folder,
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert reached.wait(HANG)
        os.killpg(process.pid, signal.SIGINT)
        said, noted = process.communicate()
    assert (process.returncode, said) == (130, "")
    assert noted.startswith("interrupted")
    wait_until(lambda: not group_members(process.pid))
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


def test_a_missing_skopeo_is_an_error_with_a_hint(folder: Path) -> None:
    words = ("hello.exe", "--to", "docker://localhost:1/hello:1", "--to", "oci:../out")
    done = image_runs.command(*words, folder=folder, PATH="/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt-get install skopeo" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder.parent / "out").exists()
