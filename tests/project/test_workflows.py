# SPDX-License-Identifier: Apache-2.0
"""The workflows, which run on machines that are not here: what they may do, whose code they run, which words they give.

actionlint, one of the checks that test_style.py runs, reads their syntax, expressions and scripts.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.command_options import OPTIONS
from helpers.support import lack
from tooling import PROJECT, checks

from generator.base.home import INSTALLED
from generator.cli.commands import COMMANDS, INVOKE

ACTION = PROJECT / "action.yml"
WORKFLOWS = sorted(PROJECT.glob(checks.WORKFLOWS))
FILES = [*WORKFLOWS, ACTION]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def jobs(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text("utf-8"))["jobs"])


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of a workflow, or of a composite action."""
    document = yaml.safe_load(path.read_text("utf-8"))
    for job in document.get("jobs", {"": document.get("runs")}).values():
        yield from job.get("steps", ())


def scripts(path: Path) -> Iterator[str]:
    for step in steps(path):
        if "run" in step:
            yield re.sub(r"\\\n\s*", " ", step["run"])


def test_there_are_the_workflows_that_the_documents_name() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml", "windows.yml"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_actions_of_others_are_pinned_by_commit_and_named_by_version(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    for line in used:
        assert line.startswith("./") or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert len(used) == path.read_text("utf-8").count("uses:")


def test_one_action_is_of_one_version_everywhere() -> None:
    used = {line for path in FILES for line in re.findall(r"uses: (\S+@\S+ # \S+)", path.read_text("utf-8"))}
    assert len({line.partition("@")[0] for line in used}) == len(used), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_may_read_and_no_more_but_to_publish(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text("utf-8")
    for name, job in jobs(path).items():
        if name == "publish":
            assert job["permissions"] == {"attestations": "write", "id-token": "write"}
            assert not any("run" in step or "actions/checkout" in step["uses"] for step in job["steps"]), (
                "whoever may publish runs nothing of the checkout"
            )
        elif name == "images" and "permissions" in job:
            assert job["permissions"] == {"attestations": "write", "id-token": "write", "packages": "write"}
            assert path.name == "release.yml"
            assert not any("actions/checkout" in step.get("uses", "") for step in job["steps"]), (
                "whoever may push has nothing of the checkout"
            )
        else:
            assert "permissions" not in job


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_every_job_has_a_time_limit_and_no_checkout_leaves_its_token(path: Path) -> None:
    for name, job in jobs(path).items():
        assert "timeout-minutes" in job or job["uses"].startswith("./"), name
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_script_names_a_host_or_takes_in_an_expression(path: Path) -> None:
    for script in scripts(path):
        assert "${{" not in script, "text of others would be run as a command"
        assert not re.search(r"://|\b[a-z-]+\.(com|dev|io|net|org)\b", script)


def test_workflows_give_commands_and_options_that_there_are() -> None:
    given = 0
    files = [path.read_text("utf-8").replace("\\\n", " ") for path in PROJECT.glob(".ci/windows/*")]
    for script in (*files, *(script for path in WORKFLOWS for script in scripts(path))):
        for door, word, rest in re.findall(r"(?:^|[ ;])(\./invokew|winscratch) ([a-z][a-z-]*)([^\n;|]*)", script, re.M):
            assert door == INVOKE or INSTALLED in COMMANDS[word].doors
            assert {*re.findall(r" --([a-z-]+)", rest)} <= OPTIONS[word]
            given += 1
    assert given > 10


def test_ci_gives_readmes_two_commands_on_every_system_that_they_are_for() -> None:
    commands = [
        run for step in jobs(PROJECT / ".github/workflows/ci.yml")["commands"]["steps"] if (run := step.get("run"))
    ]
    assert "./invokew generate\n" in commands[-1]
    assert "./invokew test\n" in commands[-1]
    matrices = {name: job.get("strategy", {}).get("matrix") for name, job in jobs(WORKFLOWS[0]).items()}
    assert matrices["commands"] == {"python": ["3.11", "3.12", "3.13", "3.14"]}
    assert matrices["debian"] == {"debian": [12, 13]}


def test_a_release_pushes_each_base_image_with_its_provenance_and_its_parts() -> None:
    job = jobs(PROJECT / ".github/workflows/release.yml")["images"]
    assert job["strategy"]["matrix"]["base"] == ["scratch", "hostprocess", "legacy"]
    assert {"test", "build"} == set(job["needs"])
    attested = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/attest-")]
    assert len(attested) == 2
    for what in attested:
        assert what["push-to-registry"] is True
        assert what["subject-digest"] == "${{ steps.push.outputs.digest }}"
    assert attested[1]["sbom-path"] == "statements/sbom.json"


def test_windows_sees_every_base_with_children_made_on_both_systems() -> None:
    found = jobs(PROJECT / ".github/workflows/windows.yml")
    for name in ("docker", "hostprocess"):
        assert found[name]["strategy"]["matrix"]["windows"] == ["windows-2022", "windows-2025"]
    assert found["docker"]["strategy"]["matrix"]["base"] == ["scratch", "hostprocess", "legacy"]
    said = "".join(step.get("run", "") for step in found["docker"]["steps"])
    assert "docker load" in said
    assert '.ci/windows/build-child "$BASE" images' in said
    started = "".join(step.get("run", "") for step in found["hostprocess"]["steps"])
    assert "--isolation host" in started
    # The image has an entry point: words after the image's name are its arguments.
    assert re.findall(r"hostprocess-child:1 (.*?) >", started) == ["-once"]


def test_the_action_is_held_to_what_workflows_are(tmp_path: Path) -> None:
    # actionlint reads workflows alone, so the action's steps are put into one.
    action = yaml.safe_load(ACTION.read_text("utf-8"))
    inputs = {name: {"description": each["description"]} for name, each in action["inputs"].items()}
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    workflow = tmp_path / "action.yml"
    workflow.write_text(yaml.safe_dump({"on": {"workflow_dispatch": {"inputs": inputs}}, "jobs": {"action": job}}))
    check = checks.Check("the action", "actionlint", ("-pyflakes=", str(workflow)))
    if lacks := check.lacks():
        lack(lacks)
    assert check.findings() == ""
