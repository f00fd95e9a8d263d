# SPDX-License-Identifier: Apache-2.0
"""Checkers, sizes, names and commit subjects of the project's own sources; generated ones have their own tests."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import offenders
from helpers.counts import THOROUGH, only_thorough
from helpers.support import lack, need, need_package
from tooling import checks

from generator.builder.wire import ROOT

LEAST = 60  # seconds: a shorter limit fails on slow machines
WAITS = {"Timer", "communicate", "join", "settimeout", "set_default_timeout", "sleep", "timeout", "wait"}
CLOCKS = re.compile(r"\b(monotonic|perf_counter|process_time|time)(_ns)?\(\)")
ALLOWED = {  # short waits, and why they do not fail on slow machines
    "run_seconds=1": "the engine's clock is the test's: engines.clock",
    "build_seconds=1": "the engine's clock is the test's: engines.clock",
    "sleep(0.02)": "from one question to the next",
    "sleep(0.12)": "two files get different times; to take longer does no harm",
    "sleep(0.15)": "files are to be older than the cache trusts; older does no harm",
    "sleep(0.2)": "checks that follow at once keep a run from its lock, and a written page's time is to change",
}


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.name)
def test_checkers_find_nothing(check: checks.Check) -> None:
    if lacks := check.lacks():
        lack(lacks)
    if not THOROUGH and check.name.startswith(("go vet", "mypy", "staticcheck")):
        pytest.skip(only_thorough("compiles many modules"))
    assert check.findings() == "", "./invokew fix may help"


def short(node: ast.expr) -> bool:
    """Return whether *node* is a number of seconds below LEAST."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and 0 < node.value < LEAST


def hurries(source: str) -> Iterator[str]:
    """Yield the expressions of *source* that fail on a slow machine: short limits and compared clocks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for word in node.keywords:
                if re.search("timeout|seconds|deadline", word.arg or "") and short(word.value):
                    yield f"{word.arg}={ast.unparse(word.value)}"
            if name in WAITS and node.args and short(node.args[0]):
                yield f"{name}({ast.unparse(node.args[0])})"
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.BinOp) and CLOCKS.search(ast.unparse(side)) for side in sides):
                yield ast.unparse(node)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(x, timeout=59)", "timeout=59"),
        ("run(x, seconds=1.5)", "seconds=1.5"),
        ("settings(deadline=20)", "deadline=20"),
        ("thread.join(1)", "join(1)"),
        ("threading.Timer(5, f)", "Timer(5)"),
        ("pytest.mark.timeout(30)", "timeout(30)"),
        ("assert time.monotonic() - start < 5", "time.monotonic() - start < 5"),
        ("assert 1 < perf_counter() - start < 5", "1 < perf_counter() - start < 5"),
        ("subprocess.run(x, timeout=60)", None),
        ("thread.join(); settings(deadline=None); ','.join(x)", None),
        ("assert time.monotonic() < end", None),
    ],
)
def test_a_short_limit_is_found(source: str, found: str | None) -> None:
    assert list(hurries(source)) == [found] * (found is not None)


def test_no_test_depends_on_the_speed_of_the_machine() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {each}"
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "test_style.py"
        for each in hurries(path.read_text("utf-8"))
    }
    assert {each for each in found if each.partition(": ")[2] not in ALLOWED} == set()
    assert {each.partition(": ")[2] for each in found} == ALLOWED.keys(), "allowed, but nowhere"


# ---------------------------------------------------------------------------------------------
# Size and names


@pytest.mark.parametrize("rule", offenders.RULES)
def test_files_and_functions_are_short_and_classes_have_names_of_their_own(rule: str) -> None:
    found, known = offenders.RULES[rule](), {*offenders.known()[rule]}
    assert found - known == set()
    assert known - found == set(), "fixed; run python -m helpers.offenders in tests/"


def test_every_exception_from_ruffs_limits_is_needed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    limits = {"PLR0912", "PLR0913"}
    excepted = {(path, rule) for path, rules in settings["per-file-ignores"].items() for rule in limits & {*rules}}
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        ",".join(limits),
        "--output-format=json",
    ]
    need_package("ruff")
    for name in ("max-args", "max-branches"):
        command += ["--config", f"lint.pylint.{name}={settings['pylint'][name]}"]
    done = subprocess.run([*command, "generator"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = {(Path(each["filename"]).relative_to(ROOT).as_posix(), each["code"]) for each in json.loads(done.stdout)}
    assert excepted == found


# ---------------------------------------------------------------------------------------------
# Commits

SINCE = "41a4186"  # the rule is of this commit; its ancestors have other subjects
SUBJECT = re.compile(r"[a-z][\w./-]*(, [a-z][\w./-]*)*: \S.*[^.]")


def test_commit_subjects_name_a_room_and_are_short() -> None:
    program = need("git")
    command = [program, "log", "--format=%h %s", f"{SINCE}..HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the checkout has no history, or a short one")
    subjects = [line.partition(" ")[2] for line in done.stdout.splitlines()]
    subjects = [each for each in subjects if not each.startswith("Merge ")]
    assert [each for each in subjects if len(each) > 72 or not SUBJECT.fullmatch(each)] == []
