# SPDX-License-Identifier: Apache-2.0
"""The examples and commands of docs/inspection.md work as shown."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make
from helpers.vendoring import commit, git
from helpers.views import run

from generator.builder.wire import ROOT

DOCUMENT = (ROOT / "docs/inspection.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```console\n\$ (winscratch .*)\n((?:.*\n)*?)```$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_documented_examples_match_the_program(command: str, shown: str) -> None:
    status, text = run(*shlex.split(command)[1:])
    assert text.decode() == shown
    assert status == int(" diff " in command)


def test_all_documented_examples_are_found() -> None:
    assert len(EXAMPLES) == 6


def test_the_documented_git_config_works(tmp_path: Path) -> None:
    (line,) = re.findall(r"^git config .*$", DOCUMENT, re.MULTILINE)
    (attributes,) = re.findall(r"^\*\.hive .*$", DOCUMENT, re.MULTILINE)
    assert attributes in (ROOT / ".gitattributes").read_text("utf-8").splitlines()
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitattributes").write_text(f"{attributes}\n")
    # A replacement for the launcher, which would install an environment first.
    (tmp_path / "invokew").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m generator "$@"\n')
    (tmp_path / "invokew").chmod(0o755)
    subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    (tmp_path / "a.hive").write_bytes(make(Node("root", subkeys=[Node("before")])).data)
    commit(tmp_path)
    (tmp_path / "a.hive").write_bytes(make(Node("root", subkeys=[Node("after")])).data)
    assert "+    after" in git(tmp_path, "diff").splitlines()
