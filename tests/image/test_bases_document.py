# SPDX-License-Identifier: Apache-2.0
"""docs/bases.md: its commands print what it says, with bases in a registry here in place of Microsoft's."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import bases, image_runs
from helpers.bases import LIST, VERSIONS, BaseImage, Document, Repository
from helpers.committed_modules import PROJECT
from helpers.image_runs import Registry
from helpers.programs import pe
from helpers.support import need

TEXT = (PROJECT / "docs/bases.md").read_text("utf-8")
BLOCKS = re.findall(r"^<!-- run: (\w+)(, fails)? -->\n```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
OUTPUTS = dict(re.findall(r"^<!-- output: (\w+) -->\n```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path_factory.mktemp("registry") / "run") as running:
        Repository(running, "windows/nanoserver").push(
            bases.listed({VERSIONS[2]: bases.image(VERSIONS[2])}), "ltsc2022"
        )
        several = bases.microsofts()
        content = json.loads(several.top.data)
        linux = {**content["manifests"][0], "platform": {"architecture": "amd64", "os": "linux"}}
        content["manifests"].insert(0, linux)
        top = Document(json.dumps(content).encode(), LIST)
        Repository(running, "dotnet/runtime").push(BaseImage([*several.documents[:-1], top], several.blobs), "8.0")
        yield running


def test_every_block_has_a_name_and_an_output() -> None:
    assert TEXT.count("```sh") == len(BLOCKS)
    assert [name for name, *_ in BLOCKS] == list(OUTPUTS)


def test_the_commands_print_what_the_document_says(registry: Registry, tmp_path: Path) -> None:
    program = tmp_path / "bin/winscratch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m generator "$@"\n')
    program.chmod(0o755)
    (tmp_path / "app.exe").write_bytes(pe())
    path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name, fails, script in BLOCKS:
        done = subprocess.run(
            ["sh", "-eu"],
            input=here(script, registry),
            cwd=tmp_path,
            env=os.environ | path,
            text=True,
            capture_output=True,
            check=False,
        )
        said = re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", done.stdout + done.stderr)
        assert (done.returncode, said) == (2 if fails else 0, here(OUTPUTS[name], registry)), name


def here(text: str, registry: Registry) -> str:
    """Return *text* with the registry of the test in place of the document's."""
    return re.sub(r"\b(mcr\.microsoft\.com|registry\.example)/", f"{registry.host}/", text)
