# SPDX-License-Identifier: Apache-2.0
"""examples/hostprocess: its program starts from the unpacked image, and its manifest is what the API takes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.committed_modules import PROJECT, run
from helpers.counts import thorough
from helpers.support import need
from helpers.wine import on_windows

from generator.imagecheck import command
from generator.runtime import start
from generator.runtime.model import File, Settings
from generator.runtime.paths import MOUNT
from generator.runtime.programs import HEAD, Program, identify

EXAMPLE = PROJECT / "examples/hostprocess"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a copy of the example in which its script was run, and what that said."""
    need("go")
    top = tmp_path_factory.mktemp("hostprocess")
    folder = Path(shutil.copytree(EXAMPLE, top / "example"))
    program = top / "bin/winscratch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m generator "$@"\n')
    program.chmod(0o755)
    path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    # What the program says alone: its notices go to standard error.
    done = subprocess.run(["./image.sh"], cwd=folder, env=os.environ | path, stdout=subprocess.PIPE, check=True)
    return folder, done.stdout.decode()


@thorough("builds Go programs")
def test_the_script_says_the_images_reference_by_digest_and_nothing_else(made: tuple[Path, str]) -> None:
    folder, said = made
    (entry,) = json.loads((folder / "image/index.json").read_bytes())["manifests"]
    assert said == f"oci:image@{entry['digest']}\n"


def test_the_image_is_good(made: tuple[Path, str]) -> None:
    said: list[str] = []
    assert command.report([f"oci:{made[0]}/image:latest"], say=said.append) == 0
    assert "good image, windows/amd64, 2 layers" in said[-1]
    assert len(said) == 1
    assert identify((made[0] / "hello.exe").read_bytes()[:HEAD]) == Program("pe", "amd64")  # as Go's linker writes it


def test_its_program_starts_from_the_unpacked_image(made: tuple[Path, str], tmp_path: Path) -> None:
    root = tmp_path / "root"
    run(need("umoci"), "raw", "unpack", "--rootless", "--image", f"{made[0]}/image:latest", root)
    program = root / "Files/hello.exe"
    done = on_windows(program, "-once", folder=tmp_path, CONTAINER_SANDBOX_MOUNT_POINT="C:\\hpc")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    said = dict(line.split(": ") for line in done.stdout.decode().splitlines()[1:])
    assert done.stdout.decode().startswith("hello from ")
    assert said.keys() == {"node", "user", "mount"}
    assert said["mount"] == "C:\\hpc"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    run(need("go"), "build", "-o", program, ".", cwd=PROJECT / "tests/interop/kubernetes")
    return program


def read(reader: Path, manifest: str) -> dict[str, Any]:
    done = subprocess.run([reader], input=manifest, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@thorough("builds Go programs")
def test_the_manifest_is_a_daemonset_of_the_api_for_windows_nodes_and_starts_what_the_image_names(
    made: tuple[Path, str], reader: Path
) -> None:
    spec = read(reader, (EXAMPLE / "daemonset.yaml").read_text())["spec"]
    pod = spec["template"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    assert pod["nodeSelector"] == {"kubernetes.io/os": "windows"}
    # Kubernetes, "Create a Windows HostProcess Pod": without these the API refuses the pod.
    assert pod["hostNetwork"] is True
    windows = pod["securityContext"]["windowsOptions"]
    assert windows == {"hostProcess": True, "runAsUserName": "NT AUTHORITY\\SYSTEM"}
    (container,) = pod["containers"]
    assert "command" not in container
    manifest = json.loads((made[0] / "image/index.json").read_bytes())["manifests"][0]
    blobs = made[0] / "image/blobs/sha256"
    config = json.loads((blobs / manifest["digest"][7:]).read_bytes())["config"]
    assert json.loads((blobs / config["digest"][7:]).read_bytes())["config"]["Entrypoint"] == ["hello.exe"]


def test_the_reader_refuses_what_the_api_does_not_know(reader: Path) -> None:
    manifest = (EXAMPLE / "daemonset.yaml").read_text()
    for wrong in (
        manifest.replace("hostProcess:", "hostprocessed:"),
        manifest.replace("hostNetwork: true", "hostNetwork: maybe"),
    ):
        with pytest.raises(subprocess.CalledProcessError):
            read(reader, wrong)


PROGRAMS = ("run.exe", "app/run.exe", "app/only.exe")


class Programs:
    """The image of the test below."""

    complete = True

    def file(self, path: str) -> File | None:
        return next((File(name) for name in PROGRAMS if name.upper() == path.upper()), None)

    def directory(self, _: str) -> None:
        return None

    def named(self, _: str) -> None:
        return None


@thorough("starts many programs in wine")
def test_cmd_finds_the_programs_that_the_rules_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wine's cmd starts each program as hcsshim's command line does, with the image's root in PATH.

    Paths with ``/`` are left out: Windows' cmd takes that for a switch, Wine's does not.
    """
    compiler = need("x86_64-w64-mingw32-gcc")
    root = tmp_path / "hpc"
    (root / "app").mkdir(parents=True)
    (tmp_path / "run.c").write_text("int main(void) { return 41; }\n")
    run(compiler, "-o", root / "run.exe", tmp_path / "run.c")
    for name in PROGRAMS[1:]:
        shutil.copy(root / "run.exe", root / name)
    mount = "Z:" + str(root).replace("/", "\\")
    found, wanted = {}, {}
    for workdir in ("", f"{MOUNT}\\app"):
        monkeypatch.chdir(root / "app" if workdir else root)
        for word in (
            "run.exe",
            "RUN",
            "only",
            "app\\run.exe",
            ".\\only.exe",
            f"{MOUNT}\\app\\only",
            f"{MOUNT}\\only.exe",
        ):
            words = ("/c", word.replace(MOUNT, mount))
            done = on_windows(Path("cmd"), *words, folder=tmp_path, WINEPATH=mount)
            found[workdir, word] = done.returncode == 41
            asked = Settings((word,), workdir=workdir)
            wanted[workdir, word] = start.search(asked, Programs())[start.NODES[0]] is not None
    assert found == wanted
    assert {*found.values()} == {True, False}
