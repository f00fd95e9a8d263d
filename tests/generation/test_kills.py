# SPDX-License-Identifier: Apache-2.0
"""Killed or interrupted at any system call that changes a file: every file is whole, and the next run repairs."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from helpers.counts import THOROUGH
from helpers.kills import ALL, SCENARIOS, Point, change_templates, run, sample, signalled, trace
from helpers.small_checkout import check, generate, outputs, small_checkout

from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.generation.unchanged import MANIFEST
from generator.languages.table import LANGUAGES

KILLS = 3  # per scenario, unless the run is thorough


@dataclass(frozen=True)
class Stage:
    """A checkout before its `generate`: its outputs before and after, and the calls to kill at."""

    tree: Path
    what: str
    before: dict[str, bytes]
    after: dict[str, bytes]
    points: list[Point]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stage]:
    """Return a function from a scenario's name to its stage, made once."""
    fresh = small_checkout(tmp_path_factory.mktemp("fresh") / "tree")
    generate(fresh)
    run(shutil.copytree(fresh, fresh.with_name("warm")), "force")  # writes the bytecode

    @cache
    def make(scenario: str) -> Stage:
        tree = shutil.copytree(fresh, tmp_path_factory.mktemp(scenario) / "tree")
        SCENARIOS[scenario](tree)
        before = outputs(tree)
        what = "force" if scenario == "delete_outputs" else "generate"
        done = shutil.copytree(tree, tree.with_name("done"))
        found = trace(done, what, tree.with_name("log"))
        return Stage(tree, what, before, outputs(done), found)

    return make


def assert_whole(root: Path, stage: Stage) -> None:
    """Assert that each output is old or new, that the check knows which, and that a run repairs the rest."""
    found = outputs(root)
    for path in {*stage.before, *stage.after, *found}:
        assert found.get(path) in {stage.before.get(path), stage.after.get(path)}, path
    status, said = check(root)
    # An old manifest beside new outputs is allowed: it proves less, but nothing wrong.
    whole = all(found.get(path) == stage.after.get(path) for path in {*found, *stage.after} - {MANIFEST})
    left = outputs(root, temporary=True).keys() - found.keys()
    assert (status == 0) == (whole and MANIFEST in found and not left), said
    generate(root)
    assert outputs(root, temporary=True) == stage.after
    assert check(root)[0] == 0
    assert "fresh: nothing to do" in generate(root)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_next_run_repairs_a_killed_generate(scenario: str, stage: Callable[[str], Stage], tmp_path: Path) -> None:
    of = stage(scenario)
    # Each output that changes takes a call at least.
    assert len(of.points) >= sum(of.before.get(path) != of.after.get(path) for path in {*of.before, *of.after}) >= 2
    for point in sample(of.points, KILLS):
        tree = shutil.copytree(of.tree, tmp_path / "tree")
        signalled(tree, of.what, point)
        assert_whole(tree, of)
        shutil.rmtree(tree)


def test_readme_states_no_more_kills_than_there_are(stage: Callable[[str], Stage]) -> None:
    counts = {scenario: len([*sample(stage(scenario).points, ALL)]) for scenario in SCENARIOS}
    stated = re.search(
        r"^\| `generate` killed at .* \| (\d+) or more \|", (ROOT / "docs/reliability.md").read_text(), re.M
    )
    assert stated is not None
    assert sum(counts.values()) >= int(stated[1]), counts


def test_interrupted_generate_leaves_every_file_whole(stage: Callable[[str], Stage], tmp_path: Path) -> None:
    of = stage("add_layer")
    for point in sample(of.points, KILLS):
        tree = shutil.copytree(of.tree, tmp_path / "tree")
        signalled(tree, "generate", point, "SIGINT")
        assert not [path for path in outputs(tree, temporary=True) if path.endswith(TEMPORARY)]
        assert_whole(tree, of)
        shutil.rmtree(tree)


def copies(root: Path) -> dict[str, bytes]:
    """Return the files below dest/ by name."""
    return {path.name: path.read_bytes() for path in (root / "dest").rglob("*") if path.is_file()}


@pytest.mark.parametrize("language", LANGUAGES if THOROUGH else ("go", "python"))
def test_next_run_repairs_a_killed_vendor(language: str, stage: Callable[[str], Stage], tmp_path: Path) -> None:
    tree = shutil.copytree(stage("change_templates").tree, tmp_path / "tree")
    (tree / "dest").mkdir()
    assert run(tree, f"vendor {language}").returncode == 0
    old = copies(tree)
    change_templates(tree)
    generate(tree)
    done = shutil.copytree(tree, tmp_path / "done")
    found = trace(done, f"vendor {language}", tmp_path / "log")
    new = copies(done)
    assert all(new[name] != data for name, data in old.items())
    assert len(found) >= 4
    for point in sample(found, KILLS):
        root = shutil.copytree(tree, tmp_path / "root")
        signalled(root, f"vendor {language}", point)
        for name, data in copies(root).items():
            assert name.endswith(TEMPORARY) or data in {old[name], new[name]}
        assert run(root, f"vendor {language}").returncode == 0
        assert copies(root) == new
        shutil.rmtree(root)
