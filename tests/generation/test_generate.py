# SPDX-License-Identifier: Apache-2.0
"""How the outputs are made and checked: the manifest, options, two runs at once, a bare Python, a rebuild."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from helpers.checkout_runs import (
    FIX,
    FRESH,
    LAYERS,
    NOTHING,
    PROGRAM,
    check,
    edit,
    everything,
    generate,
    modules,
    outputs,
    shown_documents,
    silent,
    snapshot,
    written,
)
from helpers.support import BUILDER, HANG, selected

from generator.base import files
from generator.base.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, GeneratorError
from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.generation import manifest, pipeline, unchanged
from generator.languages import render
from generator.oci import blob, tar
from generator.report.report import documents


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these tests say the same in a workflow of GitHub's."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


# ---------------------------------------------------------------------------------------------
# The manifest


def test_the_committed_manifest_is_the_one_that_generate_writes() -> None:
    seen = manifest.look(ROOT)
    record, damage = manifest.read(ROOT)
    assert (damage, record.inputs, record.outputs) == ("", seen.inputs, seen.outputs), "run ./invokew generate"


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "damaged"),
        (b"[]", "damaged"),
        (b"{", "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"format": 2, "inputs": {"a": 1}, "outputs": {}, "jinja2": ""}', "damaged"),
        (b'{"format": 2, "inputs": {}, "outputs": [], "jinja2": ""}', "damaged"),
        (b'{"format": 1}', "of format 1, not 2"),
        (b'{"format": "a\\nb"}', "of format 'a\\nb', not 2"),
        (None, "missing"),
    ],
)
def test_a_damaged_manifest_is_named_and_made_again(tree: Path, damage: bytes | None, why: str) -> None:
    before = outputs(tree)
    path = tree / unchanged.MANIFEST
    path.unlink() if damage is None else path.write_bytes(damage)
    assert check(tree) == [f"stale: {unchanged.MANIFEST}: {why}"]
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_a_manifest_cannot_name_files_elsewhere_for_removal(tree: Path) -> None:
    document = json.loads((tree / unchanged.MANIFEST).read_text())
    record = unchanged.content_hash("x", (tree / "tasks.py").read_bytes())
    (tree.parent / "outside").write_text("mine")
    document["outputs"] |= {"tasks.py": record, "../outside": record, "output/../tasks.py": record}
    (tree / unchanged.MANIFEST).write_text(json.dumps(document))
    assert check(tree) == FRESH  # the outputs are; only the manifest is to be renewed
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert (tree / "tasks.py").exists()
    assert (tree.parent / "outside").read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_another_jinja2_that_makes_the_same_text_changes_nothing(tree: Path) -> None:
    path = tree / unchanged.MANIFEST
    edit(path, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    assert check(tree) == FRESH
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert f'"jinja2": "{version("jinja2")}"' in path.read_text()


@pytest.mark.usefixtures("no_engine")
def test_another_jinja2_that_makes_other_text_is_stale(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(tree / unchanged.MANIFEST, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    real = render.render
    monkeypatch.setattr(render, "render", lambda *arguments: real(*arguments) + "\n")
    others = {path for path in everything() if path.startswith("output/") and not path.endswith(".gz")}
    assert {line.split(": ")[1] for line in check(tree)} == others
    assert written(generate(tree)) == others
    assert check(tree) == FRESH


def test_a_blob_that_another_zopfli_would_make_otherwise_stays(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = blob.compress
    monkeypatch.setattr(blob, "compress", lambda tar: gzip.compress(tar, 9, mtime=0))
    before = outputs(tree)
    assert check(tree, full=True) == FRESH
    assert outputs(tree) == before
    assert len(written(generate(tree, force=True))) == len(modules(*LAYERS)) + len(LAYERS) + 1
    monkeypatch.setattr(blob, "compress", real)
    generate(tree, force=True)
    assert outputs(tree) == before


def test_a_blob_with_more_in_its_header_than_it_needs_is_stale(tree: Path) -> None:
    path = manifest.blob_path("scratch")
    data = (tree / path).read_bytes()
    # FNAME set, and a name that holds what nobody sees.
    (tree / path).write_bytes(data[:3] + b"\x08" + data[4:10] + b"payload\0" + data[10:])
    assert f"stale: {path}: edited by hand, or half written" in check(tree)


# ---------------------------------------------------------------------------------------------
# Interrupted, and side by side


@pytest.mark.parametrize("renames", [0, 1, 4])
def test_a_run_killed_between_two_files_is_never_called_fresh_and_is_repaired(tree: Path, renames: int) -> None:
    edit(tree / "generator/layers/scratch.toml", '"winscratch"', '"other"')
    killed = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from generator.generation import pipeline
from generator.report.report import documents
real, done = os.replace, []
def replace(source, target, **folders):
    if len(done) == {renames}:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(target)
    return real(source, target, **folders)
os.replace = replace
pipeline.generate(Path(sys.argv[1]), documents, say=print, note=print, engine=sys.argv[2])
"""
    done = subprocess.run([sys.executable, "-B", "-c", killed, tree, BUILDER], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert check(tree) != FRESH
    generate(tree)
    assert check(tree) == FRESH
    repaired = outputs(tree)
    assert not [path for path in repaired if path.endswith(TEMPORARY)]
    generate(tree, force=True)
    assert outputs(tree) == repaired


@pytest.mark.usefixtures("no_engine")
def test_of_two_runs_at_once_the_second_waits_and_finds_everything_fresh(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(tree / "templates/go/module.go.jinja", "is the layer's name", "is its name")
    storing, waiting = threading.Event(), threading.Event()
    store = pipeline._store

    def late(*arguments: Any, **options: Any) -> None:
        storing.set()
        assert waiting.wait(HANG)
        store(*arguments, **options)

    monkeypatch.setattr(pipeline, "_store", late)
    first: list[str] = []
    run = threading.Thread(
        target=pipeline.generate, args=(tree, documents), kwargs={"say": first.append, "note": silent}
    )
    run.start()
    assert storing.wait(HANG)
    second: list[str] = []
    noted: list[str] = []

    def note(line: str) -> None:
        noted.append(line)
        waiting.set()

    assert pipeline.generate(tree, documents, say=second.append, note=note) == EXIT_OK
    run.join()
    assert written(first) == modules(*LAYERS, language="go")
    assert noted == [f"waiting for the lock of {tree}, which another run holds"]
    assert second[0] == NOTHING


@pytest.mark.parametrize("seconds", ["1"])
def test_a_lock_that_somebody_keeps_is_given_up(tree: Path, monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", seconds)
    noted: list[str] = []
    with (
        files.lock(tree, silent),
        pytest.raises(GeneratorError, match="locked by another run for more than 1 s; hint: end that"),
    ):
        pipeline.check(tree, documents, say=silent, note=noted.append, environment={})
    assert noted == [f"waiting for the lock of {tree}, which another run holds"]


def test_a_check_beside_a_check_does_not_wait(tree: Path) -> None:
    with files.lock(tree, silent, shared=True):
        assert check(tree) == FRESH


# ---------------------------------------------------------------------------------------------
# Options


def test_only_makes_one_layer_and_leaves_the_rest_stale(tree: Path) -> None:
    for name in ("scratch", "hostprocess"):
        edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    assert written(generate(tree, only="hostprocess")) == {"output/layers/hostprocess.tar.gz"} | modules("hostprocess")
    left = {manifest.blob_path("scratch")} | modules("scratch") | shown_documents("scratch", "hostprocess")
    assert {line.split(": ")[1] for line in check(tree)} == left
    before = snapshot(tree)
    assert generate(tree, only="legacy") == [NOTHING]
    assert snapshot(tree) == before
    assert written(generate(tree)) == left


def test_only_refuses_a_layer_that_there_is_not(tree: Path) -> None:
    with pytest.raises(GeneratorError, match="--only no: unknown layer; hint: use one of hostprocess, legacy, scratch"):
        generate(tree, only="no")


@pytest.mark.usefixtures("no_engine")
def test_a_dry_run_says_what_would_run_and_why_and_does_nothing(tree: Path) -> None:
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/SAM2")
    (tree / "output/go/go.mod").unlink()
    before = snapshot(tree)
    said = generate(tree, dry_run=True)
    assert snapshot(tree) == before
    assert "stale: output/go/go.mod: deleted" in said
    writes = {line.removeprefix("would write ") for line in said if line.startswith("would write ")}
    assert writes == {"output/go/go.mod", manifest.blob_path("legacy")} | modules("legacy") | shown_documents("legacy")


@pytest.mark.usefixtures("no_engine")
def test_a_forced_dry_run_names_everything(tree: Path) -> None:
    assert sum(line.startswith("would write ") for line in generate(tree, dry_run=True, force=True)) == len(
        everything()
    )


def test_a_dry_run_refuses_a_wrong_specification(tree: Path) -> None:
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/AUX")
    with pytest.raises(GeneratorError, match=r"legacy\.toml: files\[\d\]\.path: 'AUX' is a device's name"):
        generate(tree, dry_run=True)


def test_an_engine_that_there_is_not_is_refused_where_none_is_needed(tree: Path) -> None:
    with pytest.raises(GeneratorError, match=r"^--engine: unknown engine 'foo'"):
        generate(tree, engine="foo")


def report(tree: Path, as_json: bool, environment: dict[str, str]) -> list[str]:
    said: list[str] = []
    pipeline.check(tree, documents, as_json=as_json, say=said.append, note=silent, environment=environment)
    return said


def test_json_says_the_same_to_machines(tree: Path) -> None:
    assert json.loads(report(tree, True, {})[0]) == {"fresh": True, "findings": [], "changed": [], "fix": None}
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/SAM2")
    (document,) = report(tree, True, {"GITHUB_ACTIONS": "true"})
    said = json.loads(document)
    own = {manifest.blob_path("legacy")} | modules("legacy") | shown_documents("legacy")
    assert {finding["file"] for finding in said["findings"]} == own
    assert {finding["reason"] for finding in said["findings"]} == {"not what its sources make"}
    assert said["changed"] == [{"file": "generator/layers/legacy.toml", "reason": "changed"}]
    assert (said["fresh"], said["fix"]) == (False, "./invokew generate")


def test_findings_are_annotations_in_github_actions(tree: Path) -> None:
    assert report(tree, False, {"GITHUB_ACTIONS": "true"}) == FRESH
    (tree / "output/a%b,c:d\ne").touch()
    stale, annotation = report(tree, False, {"GITHUB_ACTIONS": "true"})
    assert stale.startswith("stale: output/a%b,c:d\ne: not made here")
    assert annotation == (f"::error file=output/a%25b%2Cc%3Ad%0Ae::output/a%25b,c:d e: {manifest.STRANGE}")


# ---------------------------------------------------------------------------------------------
# The check needs the standard library alone

# Neither site packages nor the user's; -I would forbid the current directory too.
BARE = [sys.executable, "-S", "-s", "-E", "-B"]


@pytest.mark.program
def test_the_check_runs_without_a_virtual_environment(tree: Path) -> None:
    absent = subprocess.run([*BARE, "-c", "import jinja2"], cwd=tree, capture_output=True, check=False)
    assert absent.returncode, "this Python has Jinja even without its site packages"
    command = [*BARE, "-m", "generator", "check-stale"]
    environment = {"PATH": "", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (EXIT_OK, FRESH, "")

    def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*command, *arguments], cwd=tree, env=environment | more, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    needs = r"error: \w+: not installed, so outputs .*; hint: run \./invokew, which installs it\n"
    status, shown, said = run(CI="true")
    assert (status, shown) == (EXIT_ERROR, "")
    assert re.fullmatch(needs, said)
    # What the manifest alone can tell needs no package.
    (tree / "output/go/go.mod").unlink()
    assert run() == (EXIT_STALE, f"stale: output/go/go.mod: deleted\n{FIX}\n", "")
    with (tree / "generator/generation/pipeline.py").open("a") as file:
        file.write("# more\n")
    status, shown, said = run()
    assert (status, shown) == (EXIT_ERROR, "")
    assert re.fullmatch(needs, said)


SLOW = {
    "argparse",
    "asyncio",
    "dataclasses",
    "invoke",
    "jinja2",
    "json",
    "msgspec",
    "pathlib",
    "re",
    "subprocess",
    "typing",
    "zopfli",
}


@pytest.mark.program
def test_the_check_imports_no_library_and_no_heavy_stage(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-X", "importtime", "-m", "generator", "check-stale"],
        cwd=tree,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "generator.generation.unchanged" in imported
    heavy = {f"generator.{room}" for room in ("builder", "spec", "oci", "languages.render", "hives", "commands")}
    assert not imported & (SLOW | heavy)


@pytest.mark.program
def test_a_wrong_word_is_refused_in_one_line(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-m", "generator", "chek-stale"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (EXIT_ERROR, "")
    assert done.stderr.startswith("error: argument COMMAND: invalid choice: 'chek-stale'")
    assert done.stderr.count("\n") == 1


@pytest.mark.program
def test_the_tasks_end_with_the_checks_status(tree: Path) -> None:
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "check-stale"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_STALE, "")
    assert done.stdout.splitlines() == ["stale: output/go/go.mod: deleted", FIX]


# ---------------------------------------------------------------------------------------------
# Rebuilt from source


def rebuilt(tree: Path) -> tuple[int, list[str]]:
    said: list[str] = []
    before = snapshot(tree)
    engine = selected("native").name
    status = pipeline.check(tree, documents, say=said.append, note=silent, rebuild=True, engine=engine, environment={})
    assert snapshot(tree) == before
    return status, said


def test_a_good_tree_is_what_its_sources_make(tree: Path) -> None:
    assert rebuilt(tree) == (EXIT_OK, FRESH)


@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/layers/hostprocess.tar.gz"])
def test_an_output_changed_together_with_the_manifest_is_caught_by_a_rebuild(tree: Path, path: str) -> None:
    file = tree / path
    data = file.read_bytes() + b"\n" if path.endswith(".go") else blob.compress(tar.write_tar([("evil", b"")]))
    old, new = (unchanged.content_hash(path, content) for content in (file.read_bytes(), data))
    file.write_bytes(data)
    edit(tree / unchanged.MANIFEST, old, new)
    assert check(tree) == FRESH
    assert check(tree, full=True) == [f"stale: {path}: not what its sources make"]
    assert rebuilt(tree) == (EXIT_STALE, [f"stale: {path}: not what its sources make", FIX])
