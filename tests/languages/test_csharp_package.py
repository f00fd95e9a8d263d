# SPDX-License-Identifier: Apache-2.0
"""The programs that the .NET job of ci.yml runs on the NuGet package, here built by Mono from the sources."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import layer_vectors
from helpers.committed_modules import OUTPUT, PROJECT, run
from languages.programs import Command, csharp

PROGRAM = PROJECT / "tests/helpers/ask_program.py"
DOTNET = 'dotnet "$RUNNER_TEMP/program/Consumer.dll"'


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Command:
    folder = PROJECT / "tests/languages/csharp"
    return csharp.compiled(tmp_path_factory.mktemp("csharp"), folder / "dotnet/Consumer.cs", folder / "Layers.cs")


@pytest.fixture(scope="module")
def scripts() -> list[str]:
    """Return the commands of the job."""
    job = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]["dotnet"]
    return [re.sub(r"\\\n\s*", "", step["run"]) for step in job["steps"] if "run" in step]


def test_the_job_packs_builds_and_checks_the_layers(scripts: list[str], consumer: Command) -> None:
    pack, build, check = scripts[0].splitlines()
    assert pack.startswith("dotnet pack packages/nuget ")
    assert build.startswith("dotnet build tests/languages/csharp/dotnet ")
    suffix = " --property:PackageSuffix=-local"
    assert suffix in pack
    assert suffix in build
    assert check.startswith(f"{DOTNET} ")
    folder = PROJECT / shlex.split(check)[-1]
    assert run(*consumer, folder) == f"{len([*folder.glob('*.tar.gz')])} layers and the writer: right\n"


def test_the_job_asks_for_the_vectors(scripts: list[str], consumer: Command) -> None:
    command, arguments = scripts[1].split(f" {DOTNET} ")
    words = [sys.executable, "-I", "-S", *shlex.split(command)[1:], "--random", "200", *consumer, *arguments.split()]
    assert PROJECT / words[3] == PROGRAM
    number = len(layer_vectors.headers() + layer_vectors.layers()) - 1
    assert run(*words) == f"{number} cases and 200 random layers: 0 differ\n"


def test_a_damaged_blob_is_noticed(consumer: Command, tmp_path: Path) -> None:
    for path in OUTPUT.glob("layers/*.tar.gz"):
        data = bytearray(path.read_bytes())
        data[9] ^= path.name == "scratch.tar.gz"  # the header's operating system: it still unpacks
        (tmp_path / path.name).write_bytes(data)
    done = subprocess.run([*consumer, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "Winscratch.WindowsScratch: Digest" in done.stderr


def test_a_writer_that_differs_is_noticed(tmp_path: Path) -> None:
    module = (OUTPUT / "python/windows_files.py").read_text("utf-8")
    (tmp_path / "windows_files.py").write_text(module.replace("MSWINDOWS.fileattr", "MSWINDOWS.attribute"))
    python = PROJECT / "tests/languages/python/files.py"
    words: Command = [sys.executable, "-I", PROGRAM, "--random", "20", sys.executable, python]
    assert run(*words, OUTPUT / "python").endswith(" 0 differ\n")
    done = subprocess.run([*words, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r" cases and 20 random layers: \d{2,} differ\n  a file\n", done.stdout)
