# SPDX-License-Identifier: Apache-2.0
"""Images into a registry: a real one, with and without TLS and accounts, and one that does everything wrong."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.image_runs import PASSWORD, USER, Registry, digest_of, run
from helpers.support import HANG, group_members, need

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.cli import parser

PLATFORMS = {
    "one": ("windows/amd64:10.0.20348",),
    "several": ("windows/amd64", "windows/amd64:10.0.20348", "windows/arm64"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.fixture(scope="module", params=["plain", "TLS and accounts"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with (
        image_runs.registry(tmp_path_factory.mktemp("registry") / "run", secured=request.param != "plain") as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        if running.environment:
            run("skopeo", "login", "--username", USER, "--password", PASSWORD, running.host)
        yield running


def skopeo(*words: object) -> str:
    return run(need("skopeo"), *words).stdout


def raw_digest(place: str, *options: str) -> str:
    return image_runs.sha256(skopeo("inspect", "--raw", *options, place).encode())


@pytest.mark.parametrize("platforms", PLATFORMS)
def test_every_form_copies_to_every_other_with_its_digest(
    platforms: str, registry: Registry, folder: Path, tmp_path: Path
) -> None:
    remote = f"docker://{registry.host}/hello"
    to = (f"oci:{tmp_path}/oci:x", f"oci-archive:{tmp_path}/o.tar:x", f"{remote}:{platforms}")
    references = image_runs.made(folder, *to, platform=PLATFORMS[platforms])
    digest = digest_of(references[0])
    assert references[1:] == (f"oci-archive:{tmp_path}/o.tar@{digest}", f"{registry.host}/hello@{digest}")
    for reference in references:  # each names the image to the other commands
        assert parser.main(["inspect", reference]) == 0
        assert parser.main(["check-image", reference]) == 0
    for place in to:
        assert raw_digest(place, *registry.options * place.startswith("docker:")) == digest
        for number, other in enumerate(("oci:{}/oci:x", "oci-archive:{}/o.tar:x", remote + "-{}:x")):
            name = f"{platforms}{to.index(place)}{number}"
            (tmp_path / name).mkdir()
            target = other.format(name if other.startswith(remote) else tmp_path / name)
            loose = [f"--{side}-{option[2:]}" for side in ("src", "dest") for option in registry.options]
            skopeo("copy", "--all", "--preserve-digests", *loose, place, target)
            assert raw_digest(target, *registry.options * target.startswith("docker:")) == digest


def test_the_reference_leads_to_the_image(registry: Registry, folder: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/a/b-c/hello")  # without a tag: latest
    assert raw_digest(f"docker://{reference}", *registry.options) == digest_of(reference)
    assert raw_digest(f"docker://{registry.host}/a/b-c/hello:latest", *registry.options) == digest_of(reference)
    config = json.loads(skopeo("inspect", "--config", *registry.options, f"docker://{reference}"))
    assert config["os"] == "windows"


def test_what_is_printed_names_the_image_to_the_check_and_no_other(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    to = (f"oci:{tmp_path}/out", f"oci-archive:{tmp_path}/o.tar:x", f"docker-archive:{tmp_path}/d.tar:hello:1")
    first = image_runs.made(folder, to[0], label={"a": "b"})
    references = (*first, *image_runs.made(folder, *to, f"docker://{registry.host}/chain:1"))
    done = image_runs.command(*references, folder=folder, name="check-image")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(": good image")[0] for line in done.stdout.splitlines()] == list(references)
    other = references[0].replace(digest_of(references[0]), image_runs.sha256(b""))
    assert image_runs.command(other, folder=folder, name="check-image").returncode == 2


def test_crane_finds_the_pushed_image_right(registry: Registry, folder: Path, tmp_path: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/crane:1")
    environment = os.environ.copy()
    if registry.environment:
        account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": account}}}))
        environment["DOCKER_CONFIG"] = str(tmp_path)
    done = run(image_runs.go_tool(image_runs.CRANE), "validate", "--remote", reference, env=environment)
    assert done.stdout.startswith("PASS")


def test_a_digest_that_was_named_must_be_the_images(registry: Registry, folder: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/digest:1")
    assert image_runs.made(folder, f"docker://{reference}") == (reference,)
    with pytest.raises(GeneratorError, match=f"the image is sha256:(?!{digest_of(reference)[7:]})"):
        image_runs.made(folder, f"docker://{reference}", label={"a": "b"})


def test_without_an_account_the_line_says_how_to_log_in(
    registry: Registry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not registry.environment:
        return
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    with pytest.raises(GeneratorError, match=f"`skopeo login {registry.host}`"):
        image_runs.made(folder, f"docker://{registry.host}/hello:1")


@pytest.mark.parametrize("kind", ["a folder", "no JSON", "closed"])
def test_accounts_that_cannot_be_read_are_told_with_the_variable_that_names_others(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    need("skopeo")
    accounts = tmp_path / "run/containers/auth.json"
    accounts.parent.mkdir(parents=True)
    accounts.mkdir() if kind == "a folder" else accounts.write_text("none")
    if kind == "closed":
        accounts.chmod(0)
    settings = {"REGISTRY_AUTH_FILE": "", "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    done = image_runs.command("hello.exe", "--to", "docker://localhost:1/hello:1", folder=folder, **settings)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(accounts) in done.stderr
    assert (
        "; set REGISTRY_AUTH_FILE to a file that you can read; `skopeo login --authfile FILE localhost:1`"
        in done.stderr
    )


def test_a_certificate_that_nobody_vouches_for_is_refused_on_this_machine_too(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not registry.environment:
        return
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(GeneratorError, match="certificate"):
        image_runs.made(folder, f"docker://{registry.host}/hello:1")


def test_dockers_archive_becomes_a_schema_2_image_in_a_registry(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    (reference,) = image_runs.made(folder, f"docker-archive:{tmp_path}/d.tar:hello:1")
    remote = f"docker://{registry.host}/schema2:1"
    loose = [f"--dest-{option[2:]}" for option in registry.options]
    skopeo("copy", "--format", "v2s2", *loose, f"docker-archive:{tmp_path}/d.tar", remote)
    manifest = json.loads(skopeo("inspect", "--raw", *registry.options, remote))
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert manifest["config"]["digest"] == digest_of(reference)  # the image's, as Docker knows it


def test_diff_ids_come_through_dockers_archive(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/d.tar:hello:1")
    wanted = json.loads(skopeo("inspect", "--config", f"oci:{tmp_path}/out:x"))
    assert json.loads(skopeo("inspect", "--config", f"docker-archive:{tmp_path}/d.tar")) == wanted
    skopeo("copy", f"docker-archive:{tmp_path}/d.tar", f"oci:{tmp_path}/back:x")
    skopeo("copy", f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/theirs.tar:hello:1")
    for place in (f"oci:{tmp_path}/back:x", f"docker-archive:{tmp_path}/theirs.tar"):
        assert json.loads(skopeo("inspect", "--config", place))["rootfs"] == wanted["rootfs"]


def test_several_platforms_into_skopeos_dockers_archive_are_an_error(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/out:x", platform=PLATFORMS["several"])
    done = image_runs.attempt(
        need("skopeo"), "copy", "--all", f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/d.tar"
    )
    assert done.returncode != 0


# ---------------------------------------------------------------------------------------------
# What goes wrong


class Misbehaving(ThreadingHTTPServer):
    """A registry that keeps what it is given and answers by *fault* where that has something to say."""

    daemon_threads = True

    def __init__(self, fault: Callable[["Handler"], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault = fault
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.early: list[str] = []  # what a manifest pointed at before it was there
        self.released = threading.Event()

    @property
    def host(self) -> str:
        return f"localhost:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Misbehaving

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def take(self) -> None:
        path, _, query = self.path.partition("?")
        if self.server.fault(self):
            return
        data = self.body()
        last = path.rpartition("/")[2]
        if self.command == "POST":
            self.answer(202, Location="/v2/x/uploads/1")
        elif self.command == "PATCH":
            self.server.blobs[image_runs.sha256(data)] = data
            self.answer(202, Location="/v2/x/uploads/1")
        elif self.command == "PUT" and "/uploads/" in path:
            self.answer(201, Docker_Content_Digest=query.rpartition("=")[2].replace("%3A", ":"))
        elif self.command == "PUT":
            found = json.loads(data)
            needed = [*found.get("manifests", []), *found.get("layers", []), *filter(None, [found.get("config")])]
            there = {*self.server.blobs, *self.server.manifests}
            self.server.early += [each["digest"] for each in needed if each["digest"] not in there]
            self.server.manifests[last] = self.headers["Content-Type"], data
            self.answer(201, Docker_Content_Digest=image_runs.sha256(data))
        elif "/manifests/" in path and last in self.server.manifests:
            kind, data = self.server.manifests[last]
            self.answer(200, data, Content_Type=kind, Docker_Content_Digest=image_runs.sha256(data))
        else:
            self.answer(200 if path == "/v2/" else 404)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = take  # noqa: N815


@pytest.fixture
def misbehaving() -> Iterator[Callable[[Callable[[Handler], bool]], Misbehaving]]:
    need("skopeo")
    running: list[Misbehaving] = []

    def start(fault: Callable[[Handler], bool]) -> Misbehaving:
        running.append(Misbehaving(fault))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for server in running:
        server.released.set()
        server.shutdown()
        server.server_close()


Start = Callable[[Callable[[Handler], bool]], Misbehaving]


def refused(folder: Path, host: str, tmp_path: Path, seconds: int = HANG) -> str:
    """Push by the command to a registry that does not take it, and return the one line that says so."""
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


def test_a_registry_that_behaves_is_believed_and_gets_blobs_first(misbehaving: Start, folder: Path) -> None:
    server = misbehaving(lambda _: False)
    image_runs.made(folder, f"docker://{server.host}/hello:1", platform=PLATFORMS["several"])
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
def test_a_status_is_one_line(
    status: int, code: str, hint: str, method: str, misbehaving: Start, folder: Path, tmp_path: Path
) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command != method or (method == "PUT" and "/manifests/" not in handler.path):
            return False
        handler.body()
        content = json.dumps({"errors": [{"code": code, "message": "a\nb"}]}).encode()
        handler.answer(status, content if method == "POST" else b"", Retry_After="0")
        return True

    server = misbehaving(fault)
    # skopeo tries again and again where it is told to come later.
    said = refused(folder, server.host, tmp_path, 4 if status == 429 else HANG)
    assert hint in said or (status == 429 and "did not end within 4 s" in said), said
    assert server.manifests == {}  # no tag


def test_a_registry_that_is_down_is_one_line(folder: Path, tmp_path: Path) -> None:
    assert "connection refused" in refused(folder, f"localhost:{image_runs.free_port()}", tmp_path)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
def test_a_registry_that_hangs_is_waited_for_so_long_and_no_longer(
    method: str, misbehaving: Start, folder: Path, tmp_path: Path
) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == method:
            handler.server.released.wait()
            handler.close_connection = True
            return True
        return False

    said = refused(folder, misbehaving(fault).host, tmp_path, 3)
    assert "skopeo did not end within 3 s; hint: check that " in said


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_registry_that_closes_in_the_middle_leaves_no_tag(
    method: str, misbehaving: Start, folder: Path, tmp_path: Path
) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command != method:
            return False
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True
        return True

    server = misbehaving(fault)
    refused(folder, server.host, tmp_path)
    assert server.manifests == {}


def test_a_registry_that_gives_another_image_is_found_out(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == "GET" and "/manifests/" in handler.path and handler.server.manifests:
            kind, data = handler.server.manifests["1"]
            handler.answer(200, data + b"\n", Content_Type=kind)
            return True
        return False

    assert "the registry returns sha256:" in refused(folder, misbehaving(fault).host, tmp_path)


def test_what_a_registry_says_commands_no_terminal(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
    def fault(handler: Handler) -> bool:
        if handler.command == "POST":
            message = "\x1b[31m::error::x" + "y" * 5000
            handler.answer(400, json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode())
            return True
        return False

    said = refused(folder, misbehaving(fault).host, tmp_path)
    assert "\x1b" not in said
    assert len(said) < 700


def test_an_interrupt_ends_the_push_and_leaves_nothing(misbehaving: Start, folder: Path, tmp_path: Path) -> None:
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
    # Whoever runs the tests in the background has them ignore the signal, and all that they start.
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
    assert not group_members(process.pid)
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


def test_without_skopeo_the_line_says_how_to_install_it(folder: Path) -> None:
    words = ("hello.exe", "--to", "docker://localhost:1/hello:1", "--to", "oci:../out")
    done = image_runs.command(*words, folder=folder, PATH="/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt-get install skopeo" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder.parent / "out").exists()
