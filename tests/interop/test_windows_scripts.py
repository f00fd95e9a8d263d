# SPDX-License-Identifier: Apache-2.0
"""The scripts of the Windows workflows: everything in them that Linux or wine can run runs here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import bases, image_runs
from helpers.committed_modules import PROJECT
from helpers.counts import thorough
from helpers.support import need
from helpers.wine import on_windows

from generator.imageread.images import images as opened
from generator.imageread.images import unpack
from generator.imageread.untar import SYMBOLIC_LINK, TarReader
from generator.languages.table import LANGUAGES

SCRIPTS = PROJECT / ".ci/windows"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which this checkout is the installed program ``winscratch``."""
    folder = tmp_path_factory.mktemp("installed")
    for name, words in (("winscratch", '-m generator "$@"'), ("python", '"$@"')):
        program = folder / name
        program.write_text(f"#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} {words}\n")
        program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def script(
    name: str, *words: str | Path, environment: dict[str, str], stdin: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), SCRIPTS / name, *words],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    need("go")
    folder = tmp_path_factory.mktemp("images")
    done = script("make-images", PROJECT, folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_base_and_its_child_become_archives(images: Path) -> None:
    names = {f"{base}{kind}.tar" for base in ("scratch", "hostprocess", "legacy") for kind in ("", "-child")}
    assert {path.name for path in images.iterdir()} == {*names, "hello.exe"}


def test_the_program_of_the_images_runs_under_wine_and_its_output_passes(
    images: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    done = on_windows(images / "hello.exe", "-once", folder=tmp_path)
    output = done.stdout.decode()
    user = next(line.removeprefix("user: ") for line in output.splitlines() if line.startswith("user: "))
    assert script("check-hello", user, environment=environment, stdin=output).returncode == 0
    wrong = script("check-hello", r"NT AUTHORITY\SYSTEM", environment=environment, stdin=output)
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "error: output: the program does not run as NT AUTHORITY\\SYSTEM\n",
    )
    silent = script("check-hello", user, environment=environment, stdin="nothing\n")
    assert (silent.returncode, silent.stderr) == (1, "error: output: no line starts with 'hello from'\n")


def test_the_installed_program_vendors_every_language_and_checks_the_copies(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = script("use-installed", PROJECT, tmp_path / "project", environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    fresh = {line.split("/")[1] for line in done.stdout.splitlines() if line.startswith("fresh: copies/")}
    assert fresh == {*LANGUAGES}


@pytest.fixture(scope="module")
def on_nanoserver(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return the folder of images on stand-ins for two tags of nanoserver."""
    for program in ("go", "skopeo"):
        need(program)
    folder = tmp_path_factory.mktemp("nanoserver")
    with image_runs.registry(folder / "registry") as running:
        base = bases.Repository(running, "nanoserver")
        for tag, version in (("ltsc2022", bases.VERSIONS[2]), ("ltsc2025", "10.0.26100.1742")):
            base.push(bases.listed({version: bases.image(version)}), tag)
        settings = {**environment, "NANOSERVER": f"{running.host}/nanoserver"}
        words = ("make-nanoserver", PROJECT, folder / "images", "ltsc2022", "ltsc2025")
        done = script(*words, environment=settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r": good image, windows/amd64:([0-9.]+), 3 layers", done.stdout) == [
        bases.VERSIONS[2],
        "10.0.26100.1742",
    ]
    return folder / "images"


def test_links_of_the_images_on_nanoserver_have_the_kind_of_their_target(on_nanoserver: Path) -> None:
    with opened(f"docker-archive:{on_nanoserver}/nanoserver-ltsc2022.tar") as (image,), image.layers[-1].open() as blob:
        found = {
            entry.name.rpartition("/")[2]: bool(int(entry.records["MSWINDOWS.fileattr"]) & 0x10)
            for entry in TarReader(unpack(blob)[1])
            if entry.kind == SYMBOLIC_LINK
        }
    assert found == {"folder-link": True, "file-link": False, "system": True}


@thorough("starts wine several times")
def test_the_program_on_nanoserver_reads_files_under_wine(on_nanoserver: Path, tmp_path: Path) -> None:
    files = (tmp_path / "file.txt", tmp_path / "ntdll.dll")
    for path, data in zip(files, (b"a file\r\n", b"MZ\x90\0"), strict=True):
        path.write_bytes(data)
    done = on_windows(on_nanoserver / "app/read.exe", *map(str, files), folder=tmp_path)
    assert done.stdout.decode().splitlines()[1:] == [f"{files[0]}: a file", f"{files[1]}: MZ"]


OUTPUT = r"""hello from C:\app\read.exe
C:\app\folder-link\file.txt: a file
C:\app\file-link: a file
C:\app\system\ntdll.dll: MZ
"""


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        (OUTPUT, 0, 0),
        (OUTPUT.replace("\n", "\r\n"), 0, 0),
        (OUTPUT, 1, 1),
        (OUTPUT.replace("MZ", ""), 0, 1),
        ("", 0, 1),
    ],
)
def test_the_program_must_print_each_file(
    output: str, status: int, expected: int, environment: dict[str, str], tmp_path: Path
) -> None:
    """A stand-in for docker makes the faults."""
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\n[ "$1" = load ] && exit 0\nprintf %s "$OUTPUT"\nexit "$STATUS"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}{os.pathsep}{environment['PATH']}"
    settings = {**environment, "PATH": path, "OUTPUT": output, "STATUS": str(status)}
    done = script("run-nanoserver", "ltsc2022", "images", environment=settings, cwd=tmp_path)
    assert done.returncode == expected, done.stdout + done.stderr


DOCKER = '#!/bin/sh\ncat >/dev/null\necho "$ANSWER" >&2\nexit "$STATUS"\n'
CORRUPT = "hcsshim::ImportLayer failed in Win32: The configuration registry database is corrupt. (0x3f1)"


@pytest.mark.parametrize(
    ("base", "status", "answer", "expected"),
    [
        ("hostprocess", 0, "built", 0),
        ("hostprocess", 1, CORRUPT, 1),
        ("legacy", 1, CORRUPT, 0),
        ("legacy", 1, "no space left on device", 1),
        ("legacy", 0, "built", 1),
    ],
)
def test_a_build_must_fail_on_empty_hives_alone_and_for_their_reason(
    base: str, status: int, answer: str, expected: int, environment: dict[str, str], tmp_path: Path
) -> None:
    """A stand-in for docker makes the faults: no Docker on this machine builds for Windows."""
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    settings = {
        **environment,
        "PATH": f"{docker.parent}{os.pathsep}{environment['PATH']}",
        "STATUS": str(status),
        "ANSWER": answer,
    }
    (tmp_path / "images").mkdir()
    done = script("build-child", base, "images", environment=settings, cwd=tmp_path)
    assert done.returncode == expected, done.stdout + done.stderr
    assert (tmp_path / "images/Dockerfile").read_text().splitlines()[:2] == ["ARG BASE", "FROM $BASE"]
