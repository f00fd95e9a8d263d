# SPDX-License-Identifier: Apache-2.0
"""The command `image`: its output, its errors and its progress bar."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.image_runs import digest_of, named
from helpers.registry_proxy import ProxyHandler, proxy
from helpers.support import INVOKEW, wait_until

from generator.base.process import bytes_read
from generator.builder.wire import ROOT
from generator.image import Options, make
from generator.image.progress import Tell


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.mark.program
def test_the_command_prints_only_references(folder: Path) -> None:
    to = ("--to", "oci:../out:hello", "--to", "oci-archive:../o.tar", "--to", "docker-archive:../d.tar:hello")
    words = ("hello.exe", r"conf:C:\conf", *to, "--entrypoint", "hello.exe", "--entrypoint=-v", "--env", "A=b")
    done = image_runs.command(*words, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    digest = named(folder.parent / "out")["hello"]["digest"]
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"oci:../out@{digest}", f"oci-archive:../o.tar@{digest}"]
    assert lines[2].startswith("docker-archive:../d.tar@sha256:")
    assert len(lines) == 3
    config = image_runs.document(
        folder.parent / "out", image_runs.document(folder.parent / "out", digest)["config"]["digest"]
    )
    assert config["config"] == {"Env": ["A=b"], "Entrypoint": ["hello.exe", "-v"]}


@pytest.mark.program
def test_closed_standard_output_is_an_error(folder: Path) -> None:
    command = [sys.executable, "-m", "generator", "image", str(folder / "hello.exe"), "--to", f"oci:{folder}/out"]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output is closed" in done.stderr
    assert not (folder / "out").exists()


def _on_terminal(folder: Path, to: str) -> tuple[bytes, bytes]:
    """Make an image of 80 MiB; return its standard output, and what a terminal shows of standard error."""
    with (folder / "long").open("wb") as file:
        file.truncate(80 << 20)
    ours, theirs = os.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": image_runs.cache(), "TERM": "xterm"}
    words = [sys.executable, "-m", "generator", "image", "long", "--to", to, "--compression", "none"]
    with subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 1 << 16):
                shown += data
        said = process.communicate()[0]
    os.close(ours)
    return said, shown


def test_long_work_shows_a_progress_bar_on_a_terminal(folder: Path) -> None:
    said, shown = _on_terminal(folder, "oci:../out")
    assert said.startswith(b"oci:../out@sha256:")
    assert said.count(b"\n") == 1
    assert b"making layers" in shown
    assert b"MB" in shown


def test_a_push_shows_bytes_and_rate_on_a_terminal(folder: Path, tmp_path: Path) -> None:
    with image_runs.registry(tmp_path / "registry") as registry:
        said, shown = _on_terminal(folder, f"docker://{registry.host}/long")
    assert said.startswith(registry.host.encode())
    pushed = shown.rpartition(b"pushing to ")[2]
    assert re.search(rb"/\d+(\.\d)? MB", pushed)


def test_a_push_reports_the_bytes_that_skopeo_reads(folder: Path, tmp_path: Path) -> None:
    """The registry waits before each upload, and in the middle of the long one, until they are reported."""
    if not bytes_read(os.getpid()):
        pytest.skip("this system does not count the bytes that a process reads")
    size = 80 << 20
    told: dict[str, list[tuple[int, int]]] = {"pushing": []}
    pushing = told["pushing"]

    @contextlib.contextmanager
    def progress(what: str, measured: bool) -> Iterator[Tell]:
        assert measured == (not what.startswith("moving"))
        yield lambda done, total: told.setdefault(what.split(maxsplit=1)[0], []).append((done, total))

    def fault(handler: ProxyHandler) -> bool:
        if handler.command == "POST":
            wait_until(lambda: pushing)
        if handler.command == "PATCH":
            data = handler.read()
            if len(data) >= size:
                wait_until(lambda: pushing[-1][0] >= size)
            handler.read = lambda: data  # type: ignore[method-assign]
        return False

    (folder / "long").write_bytes(os.urandom(1 << 20) * 80)
    with image_runs.registry(tmp_path / "registry") as registry, proxy(registry.host, fault) as server:
        to = f"docker://{server.host}/long"
        make(Options(source=(f"{folder}/long",), to=(to,), compression="none"), note=print, progress=progress)
    assert {total for _, total in pushing} == {pushing[-1][1]}
    assert pushing[0][0] < size <= pushing[-1][0] == pushing[-1][1]
    assert all(done for done, _ in pushing)


def test_a_config_file_makes_the_same_image(folder: Path) -> None:
    (folder.parent / "image.toml").write_text(
        r"""
        source = ["hello.exe", 'conf:C:\conf']
        to = ["oci:../file"]
        entrypoint = ["hello.exe"]
        env = {A = "b"}
        """
    )
    words = ("hello.exe", r"conf:C:\conf", "--to", "oci:../words", "--entrypoint", "hello.exe", "--env", "A=b")
    first, second = (image_runs.command(*each, folder=folder) for each in (("--config", "../image.toml"), words))
    assert digest_of(first.stdout) == digest_of(second.stdout)


@pytest.mark.program
def test_references_are_printed_even_if_a_later_destination_fails(folder: Path) -> None:
    (folder / "file").write_text("")
    places = ("--to", "oci:../out:1", "--to", "oci:../out:2", "--to", "oci-archive:file/o.tar")
    done = image_runs.command("hello.exe", *places, folder=folder)
    digest = named(folder.parent / "out")["2"]["digest"]
    assert (done.returncode, done.stdout) == (2, f"oci:../out@{digest}\n" * 2)
    assert done.stderr.startswith("error: oci-archive:file/o.tar: ")


@pytest.mark.program
def test_an_error_of_the_command_is_one_line_and_status_2(folder: Path) -> None:
    for words in ((), ("missing", "--to", "oci:../out"), ("hello.exe", "--to", "ftp://x"), ("--config", "none.toml")):
        done = image_runs.command(*words, folder=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    assert not (folder.parent / "out").exists()


def test_the_python_interface_is_stable() -> None:
    from generator import image

    assert sorted(image.__all__) == ["GeneratorError", "Made", "Options", "SourceData", "SourceTable", "make"]
    assert image.Options.__struct_fields__[:2] == ("source", "to")
    for name in image.__all__:
        assert getattr(image, name).__doc__


def test_invoke_offers_the_command(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (
        "image",
        folder / "hello.exe",
        rf"{folder}/conf:C:\conf",
        "--entrypoint",
        "hello.exe",
        "--to",
        f"oci:{out}",
    )
    done = image_runs.attempt(*INVOKEW, *words, cwd=folder, env=os.environ | {"XDG_CACHE_HOME": image_runs.cache()})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == list(image_runs.made(folder, f"oci:{out}"))
