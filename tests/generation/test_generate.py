# SPDX-License-Identifier: Apache-2.0
"""The manifest, interrupted and concurrent runs, and the options of generate and check-stale."""

import gzip
import json
import signal
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from helpers.checkout_runs import (
    FRESH,
    LAYERS,
    NOTHING,
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
from helpers.counts import slow
from helpers.support import BUILDER, HANG

from generator.base import files
from generator.base.errors import EXIT_OK, GeneratorError
from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.generation import manifest, pipeline, unchanged
from generator.languages import render
from generator.oci import blob
from generator.report.report import documents

# ---------------------------------------------------------------------------------------------
# The manifest


def test_committed_manifest_records_the_checkout() -> None:
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
def test_damaged_manifest_is_written_again(tree: Path, damage: bytes | None, why: str) -> None:
    before = outputs(tree)
    path = tree / unchanged.MANIFEST
    path.unlink() if damage is None else path.write_bytes(damage)
    assert check(tree) == [f"stale: {unchanged.MANIFEST}: {why}"]
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_manifest_cannot_make_generate_remove_other_files(tree: Path) -> None:
    document = json.loads((tree / unchanged.MANIFEST).read_text())
    record = unchanged.content_hash("x", (tree / "tasks.py").read_bytes())
    (tree.parent / "outside").write_text("mine")
    document["outputs"] |= {"tasks.py": record, "../outside": record, "output/../tasks.py": record}
    (tree / unchanged.MANIFEST).write_text(json.dumps(document))
    assert check(tree) == FRESH  # only the manifest differs
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert (tree / "tasks.py").exists()
    assert (tree.parent / "outside").read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_other_jinja2_with_the_same_text_is_fresh(tree: Path) -> None:
    path = tree / unchanged.MANIFEST
    edit(path, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    assert check(tree) == FRESH
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert f'"jinja2": "{version("jinja2")}"' in path.read_text()


@pytest.mark.usefixtures("no_engine")
def test_other_jinja2_with_other_text_is_stale(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(tree / unchanged.MANIFEST, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    real = render.render
    monkeypatch.setattr(render, "render", lambda *arguments, **options: real(*arguments, **options) + "\n")
    others = {path for path in everything() if not path.endswith(".gz")}
    assert {line.split(": ")[1] for line in check(tree)} == others
    assert written(generate(tree)) == others
    assert check(tree) == FRESH


def test_blob_of_another_zopfli_stays(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = blob.compress
    monkeypatch.setattr(blob, "compress", lambda tar: gzip.compress(tar, 9, mtime=0))
    before = outputs(tree)
    assert check(tree, full=True) == FRESH
    assert outputs(tree) == before
    assert len(written(generate(tree, force=True))) == len(modules(*LAYERS)) + len(LAYERS) + 1
    monkeypatch.setattr(blob, "compress", real)
    generate(tree, force=True)
    assert outputs(tree) == before


def test_blob_with_a_longer_header_is_stale(tree: Path) -> None:
    path = manifest.blob_path("scratch")
    data = (tree / path).read_bytes()
    # FNAME set, with a hidden payload.
    (tree / path).write_bytes(data[:3] + b"\x08" + data[4:10] + b"payload\0" + data[10:])
    assert f"stale: {path}: edited by hand, or half written" in check(tree)


# ---------------------------------------------------------------------------------------------
# Interrupted, and side by side


@pytest.mark.parametrize("renames", [slow(0, "kills once more"), 1, slow(4, "kills once more")])
def test_run_killed_between_two_files_is_stale_and_repaired(tree: Path, renames: int) -> None:
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
pipeline.generate(Path(sys.argv[1]), documents, pipeline.GenerateOptions(sys.argv[2]), say=print, note=print)
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
def test_second_of_two_runs_waits_and_finds_a_fresh_checkout(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(tree / "templates/go/module.go.jinja", "is the layer's name", "is its name")
    storing, waiting = threading.Event(), threading.Event()
    replace = files.replace

    def late(*arguments: Any, **options: Any) -> None:
        storing.set()
        assert waiting.wait(HANG)
        replace(*arguments, **options)

    monkeypatch.setattr(files, "replace", late)
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


def test_waiting_for_a_lock_ends_after_the_timeout(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", "1")
    noted: list[str] = []
    with (
        files.lock(tree, silent),
        pytest.raises(GeneratorError, match="locked by another run for more than 1 s; hint: end that"),
    ):
        pipeline.check(tree, documents, say=silent, note=noted.append, environment={})
    assert noted == [f"waiting for the lock of {tree}, which another run holds"]


def test_two_checks_run_at_once(tree: Path) -> None:
    with files.lock(tree, silent, shared=True):
        assert check(tree) == FRESH


# ---------------------------------------------------------------------------------------------
# Options


def test_only_makes_one_layer(tree: Path) -> None:
    for name in ("scratch", "hostprocess"):
        edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    assert written(generate(tree, only="hostprocess")) == {"output/layers/hostprocess.tar.gz"} | modules("hostprocess")
    left = {manifest.blob_path("scratch")} | modules("scratch") | {unchanged.REPORT}
    assert {line.split(": ")[1] for line in check(tree)} == left
    before = snapshot(tree)
    assert generate(tree, only="legacy") == [NOTHING]
    assert snapshot(tree) == before
    assert written(generate(tree)) == left


def test_only_refuses_unknown_layer(tree: Path) -> None:
    with pytest.raises(GeneratorError, match="--only no: unknown layer; hint: use one of hostprocess, legacy, scratch"):
        generate(tree, only="no")


@pytest.mark.usefixtures("no_engine")
def test_dry_run_reports_and_writes_nothing(tree: Path) -> None:
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/SAM2")
    (tree / "output/go/go.mod").unlink()
    before = snapshot(tree)
    said = generate(tree, dry_run=True)
    assert snapshot(tree) == before
    assert "stale: output/go/go.mod: deleted" in said
    writes = {line.removeprefix("would write ") for line in said if line.startswith("would write ")}
    assert writes == {"output/go/go.mod", manifest.blob_path("legacy")} | modules("legacy") | shown_documents("legacy")


@pytest.mark.usefixtures("no_engine")
def test_forced_dry_run_lists_every_output(tree: Path) -> None:
    assert sum(line.startswith("would write ") for line in generate(tree, dry_run=True, force=True)) == len(
        everything()
    )


def test_dry_run_refuses_invalid_specification(tree: Path) -> None:
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/AUX")
    with pytest.raises(GeneratorError, match=r"legacy\.toml: files\[\d\]\.path: 'AUX' is a reserved device name"):
        generate(tree, dry_run=True)


def test_unknown_engine_is_refused_even_if_unneeded(tree: Path) -> None:
    with pytest.raises(GeneratorError, match=r"^--engine: unknown engine 'foo'"):
        generate(tree, engine="foo")


def report(tree: Path, as_json: bool, environment: dict[str, str]) -> list[str]:
    said: list[str] = []
    options = pipeline.CheckOptions(as_json=as_json)
    pipeline.check(tree, documents, options, say=said.append, note=silent, environment=environment)
    return said


def test_json_reports_the_same(tree: Path) -> None:
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
    assert stale == f"stale: output/a%b,c:d\ne: {manifest.STRANGE}"
    assert annotation == (f"::error file=output/a%25b%2Cc%3Ad%0Ae::output/a%25b,c:d e: {manifest.STRANGE}")
