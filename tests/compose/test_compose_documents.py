# SPDX-License-Identifier: Apache-2.0
"""docs/rebase.md and docs/index-of-images.md: each command is run, and prints what the document shows."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import bases, image_indexes, image_runs
from helpers.bases import VERSIONS, Repository
from helpers.committed_modules import PROJECT
from helpers.image_runs import Registry, run
from helpers.layouts import Layout
from helpers.programs import pe
from helpers.support import need

_BLOCK = re.compile(r"^<!-- run: (\w+) -->\n```sh\n(.*?)^```$\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MICROSOFT, OWN = "mcr.microsoft.com", "registry.example"  # one registry on this machine has both
BASE = "windows/nanoserver"
JOB = PROJECT / "examples/rebase/weekly.yml"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path / "registry") as running:
        yield running


def publish(registry: Registry, version: str) -> None:
    """Replace the tag of the base by a list with a revision of Server 2022."""
    made = {each: bases.image(each) for each in (VERSIONS[0], version)}
    Repository(registry, BASE).push(bases.listed(made), "ltsc2022")


def blocks(document: str) -> list[tuple[str, str, str]]:
    text = (PROJECT / "docs" / document).read_text("utf-8")
    found = _BLOCK.findall(text)
    assert text.count("```sh") == text.count("<!-- run:") == len(found)
    return found


@pytest.fixture
def winscratch(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has the command."""
    program = tmp_path / "bin/winscratch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m generator "$@"\n')
    program.chmod(0o755)
    cache = {"XDG_CACHE_HOME": image_runs.cache()}
    return {**os.environ, **cache, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def shown(registry: Registry, script: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a block's commands, and return their output as the document shows it."""
    for name in (MICROSOFT, OWN):
        script = script.replace(name, registry.host)
    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    text = done.stdout.replace(f"{registry.host}/{BASE}", f"{MICROSOFT}/{BASE}").replace(registry.host, OWN)
    return _DIGEST.sub("sha256:…", text)


def test_a_month_goes_by_as_the_document_says(registry: Registry, winscratch: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "hello.exe").write_bytes(pe())
    publish(registry, VERSIONS[1])
    months: dict[str, Callable[[], None]] = {"february": lambda: publish(registry, VERSIONS[2])}
    names = []
    for name, script, output in blocks("rebase.md"):
        months.get(name, lambda: None)()
        names.append(name)
        assert shown(registry, script, folder, winscratch) == output
    assert names == ["january", "february", "rebase", "legacy"]


def test_an_index_is_made_as_the_document_says(registry: Registry, winscratch: dict[str, str], tmp_path: Path) -> None:
    base = Repository(registry, BASE).push(bases.microsofts(), "1")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "hello.exe").write_bytes(pe())
    host = registry.host
    platforms = ("windows/amd64:10.0.17763", "windows/amd64:10.0.20348")
    source = {"source": (f"{folder}/hello.exe",), "entrypoint": ("hello.exe",)}
    image_runs.made(folder, f"docker://{host}/hello-windows:1", base=base, platform=platforms, **source)
    image_runs.made(folder, f"docker://{host}/hello-hostprocess:1", **source)
    linux = Layout(tmp_path / "linux", [])
    name = image_indexes.indexed(linux, image_indexes.linux(linux), windows=False)
    run(need("skopeo"), "copy", "--all", "--dest-tls-verify=false", name, f"docker://{host}/hello-linux:1")
    ((_, script, output),) = blocks("index-of-images.md")
    assert shown(registry, script, folder, winscratch) == output


def test_the_weekly_job_rebases_when_the_base_is_outdated(
    registry: Registry, winscratch: dict[str, str], tmp_path: Path
) -> None:
    import yaml

    document = yaml.safe_load(JOB.read_text("utf-8"))
    script = document["jobs"]["rebase"]["steps"][-1]["run"]
    publish(registry, VERSIONS[1])
    (tmp_path / "hello.exe").write_bytes(pe())
    host = registry.host
    image_runs.made(
        tmp_path,
        f"docker://{host}/hello:1",
        base=f"docker://{host}/{BASE}:ltsc2022",
        source=(f"{tmp_path}/hello.exe",),
        platform=("windows/amd64:10.0.20348",),
    )
    names = {key: re.sub(f"{MICROSOFT}|{OWN}", host, value) for key, value in document["env"].items()}
    repository = Repository(registry, "hello")
    tags = [repository.tags()["1"]]
    for version in (VERSIONS[1], VERSIONS[2], VERSIONS[2]):
        publish(registry, version)
        subprocess.run([need("bash"), "-e", "-c", script], env=winscratch | names, check=True, capture_output=True)
        tags.append(repository.tags()["1"])
    assert tags[0] == tags[1] != tags[2] == tags[3]
    gone = names | {"IMAGE": f"docker://{host}/nothing:1"}
    done = subprocess.run([need("bash"), "-e", "-c", script], env=winscratch | gone, check=False, capture_output=True)
    assert done.returncode == 2


def test_actionlint_finds_nothing_in_the_weekly_job(tmp_path: Path) -> None:
    path = tmp_path / ".github/workflows/weekly.yml"
    path.parent.mkdir(parents=True)
    shutil.copy(JOB, path)
    done = image_runs.attempt(image_runs.go_tool("github.com/rhysd/actionlint/cmd/actionlint"), "-shellcheck=", path)
    assert (done.returncode, done.stdout) == (0, "")
