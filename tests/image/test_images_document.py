# SPDX-License-Identifier: Apache-2.0
"""docs/images.md: the commands in it do what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.committed_modules import PROJECT
from helpers.programs import ARM64, pe

DOCUMENT = PROJECT / "docs/images.md"
BLOCKS = re.findall(
    r"^<!-- run(?:: (\w+))? -->\n```sh\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return the folder in which all commands of the document were given, and what each block said."""
    folder = tmp_path_factory.mktemp("document")
    program = folder / "bin/winscratch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m generator "$@"\n')
    program.chmod(0o755)
    (folder / "hello.exe").write_bytes(pe())
    (folder / "hello-arm64.exe").write_bytes(pe(ARM64))
    (folder / "installer.msi").write_bytes(b"msi")
    path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(folder / "cache")}
    said = {}
    for name, script in BLOCKS:
        done = subprocess.run(
            ["sh", "-eu"], input=script, cwd=folder, env=os.environ | path, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), script
        said[name] = done.stdout
    return folder, said


def test_every_command_of_the_document_that_needs_nothing_else_is_given() -> None:
    assert [name for name, _ in BLOCKS] == ["", "config", "box", "platforms", "base"]
    assert DOCUMENT.read_text("utf-8").count("```sh") == len(BLOCKS)  # which tests/interop/test_hostprocess.py gives


def test_the_first_command_says_a_reference_and_the_second_that_the_image_is_good(
    ran: tuple[Path, dict[str, str]],
) -> None:
    reference, verdict = ran[1][""].splitlines()
    assert re.fullmatch(r"oci:image@sha256:[0-9a-f]{64}", reference)
    assert "good image, windows/amd64, 2 layers" in verdict


def test_several_platforms_share_layers(ran: tuple[Path, dict[str, str]]) -> None:
    first, second = json.loads(ran[1]["config"].partition("\n")[2])
    assert (first["good"], second["good"]) == (True, True)
    assert {first["os.version"], second["os.version"]} == {None, "10.0.20348"}
    assert first["layers"] == second["layers"]


def test_a_box_and_a_base_are_one_layer_more_and_one_layer(ran: tuple[Path, dict[str, str]]) -> None:
    folder, said = ran
    for name, layers in (("box", 2), ("base", 1)):
        digest = said[name].strip().rpartition(":")[2]
        manifest = json.loads((folder / name / "blobs/sha256" / digest).read_bytes())
        assert len(manifest["layers"]) == layers
