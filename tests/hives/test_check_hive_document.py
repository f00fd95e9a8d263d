# SPDX-License-Identifier: Apache-2.0
"""docs/check-hive.md: its examples are what the commands print, and its rules name their sources."""

import re
import shlex
from pathlib import Path

import pytest
from helpers.views import run

from generator.builder.wire import ROOT
from generator.hives.rules import LIVE, RULES, SOURCES, Level

DOCUMENT = (ROOT / "docs/check-hive.md").read_text("utf-8")


def test_documented_examples_match_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```console\n(\$ .*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    statuses = []
    for command, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", example, re.MULTILINE):
        words = shlex.split(command)
        if words[0] == "head":
            (tmp_path / words[-1].removeprefix(">")).write_bytes((tmp_path / words[3]).read_bytes()[: int(words[2])])
            continue
        status, found = run(*words[1:])
        assert found.decode() == shown
        statuses.append(status)
    assert statuses == [0, 0, 1]


@pytest.mark.parametrize("name", RULES)
def test_each_rule_has_known_sources(name: str) -> None:
    parts = RULES[name].source.split("; ")
    assert {re.split("[: ]", part)[0] for part in parts} <= SOURCES.keys(), name


def test_what_is_normal_on_a_live_system_is_never_refused() -> None:
    assert all(RULES[rule].level == Level.UNUSUAL for rule in LIVE)
