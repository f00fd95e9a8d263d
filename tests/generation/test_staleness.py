# SPDX-License-Identifier: Apache-2.0
"""Fresh checkouts, and changed inputs: which outputs are stale, and which are made again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout_runs import (
    FOURTH,
    FRESH,
    LAYERS,
    NOTHING,
    PROGRAM,
    check,
    edit,
    everything,
    generate,
    modules,
    shown_documents,
    snapshot,
    written,
)

from generator.base.errors import EXIT_ERROR, EXIT_OK
from generator.builder.wire import ROOT
from generator.generation import manifest, unchanged
from generator.languages.table import LANGUAGES

# ---------------------------------------------------------------------------------------------
# Fresh


def test_committed_output_is_fresh() -> None:
    assert check(ROOT) == FRESH


@pytest.mark.usefixtures("no_engine")
def test_unchanged_checkout_runs_nothing_and_writes_nothing(tree: Path) -> None:
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert generate(tree)[0] == NOTHING
    assert snapshot(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_mtimes_do_not_matter(tree: Path) -> None:
    for number, path in enumerate(sorted(tree.rglob("*"))):
        os.utime(path, (number, number))
    assert check(tree) == FRESH


@pytest.mark.usefixtures("no_engine")
def test_checkout_with_crlf_is_fresh(tree: Path) -> None:
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert generate(tree)[0] == NOTHING
    assert snapshot(tree) == before


@pytest.mark.parametrize("crlf", [False, True])
def test_force_makes_every_output_as_committed(tree: Path, crlf: bool) -> None:
    for path in tree.rglob("*"):
        if crlf and path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(tree)
    noted: list[str] = []
    assert generate(tree, force=True, note=noted.append) == [f"made {len(everything())} files: each is as committed"]
    assert "building 12 hives" in noted
    assert snapshot(tree) == before


def test_generate_summarizes_a_fresh_checkout(tree: Path) -> None:
    said = generate(tree)
    assert said[0] == NOTHING
    assert all(f"{name} ({(tree / manifest.blob_path(name)).stat().st_size:,} bytes)" in said[1] for name in LAYERS)
    assert "./invokew vendor LANGUAGE LAYER DEST" in said[2]


# ---------------------------------------------------------------------------------------------
# An input changed


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("template", "language", "old", "new"),
    [
        ("python/module.py.jinja", "python", "The layer's name.", "Its name."),
        ("go/module.go.jinja", "go", "is the layer's name", "is its name"),
        ("c/module.h.jinja", "c", "The layer's name.", "Its name."),
    ],
)
def test_changed_template_makes_only_its_modules(tree: Path, template: str, language: str, old: str, new: str) -> None:
    edit(tree / "templates" / template, old, new)
    findings = check(tree)
    assert findings[-1] == f"changed since: templates/{template}: changed"
    ending = Path(template).with_suffix("").suffix
    made = {path for path in modules(*LAYERS, language=language) if path.endswith(ending)}
    assert {line.split(": ")[1] for line in findings[:-1]} == made
    assert written(generate(tree)) == made
    assert check(tree) == FRESH


@pytest.mark.program
def test_changed_template_needs_no_engine(tree: Path) -> None:
    environment = {"PATH": "", "WINSCRATCH_ENGINE": "docker", "PYTHONDONTWRITEBYTECODE": "1"}
    edit(tree / "templates/go/module.go.jinja", "is the layer's name", "is its name")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, "generate"], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.returncode == EXIT_OK, done.stderr
    assert written(done.stdout.splitlines()) == modules(*LAYERS, language="go")
    # The same machine cannot build a hive, so no engine was used above.
    edit(tree / "generator/layers/scratch.toml", '"winscratch"', '"other"')
    done = run()
    assert done.returncode == EXIT_ERROR
    assert "\nerror: WINSCRATCH_ENGINE: docker: not found on PATH; hint: install or " in done.stderr


@pytest.mark.program
def test_missing_library_is_reported_in_one_line(tree: Path) -> None:
    (tree / "jinja2.py").write_text("raise ModuleNotFoundError(name='jinja2')")
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "generate"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        EXIT_ERROR,
        "error: jinja2: not installed; hint: run ./invokew, which installs it\n",
    )


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("path", "comment"),
    [
        ("generator/languages/render.py", "# more\n"),
        ("generator/generation/pipeline.py", "# more\n"),
        ("generator/layers/legacy.toml", "# more\n"),
        ("generator/hivebuilder/emptyhive.py", "# more\n"),
        ("templates/go/module.go.jinja", "{# more #}"),
        ("Dockerfile.hivex", "# more\n"),
        ("requirements.lock", "# more\n"),
        (".gitignore", "# more\n"),
    ],
)
def test_input_that_changes_no_output_makes_nothing_stale(tree: Path, path: str, comment: str) -> None:
    with (tree / path).open("a") as file:
        file.write(comment)
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert snapshot(tree) == before
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert generate(tree)[0] == NOTHING
    after = snapshot(tree)
    assert {name for name in before if before[name] != after[name]} == {unchanged.MANIFEST}


def test_changed_program_makes_outputs_stale(tree: Path) -> None:
    edit(tree / "generator/oci/tar.py", 'b"%07o" % mode', 'b"%07o" % (mode | 0o1000)')
    script = (
        "from generator.generation import pipeline; from generator.report.report import documents; "
        "pipeline.check('.', documents, say=print, note=print, environment={})"
    )
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=tree, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    stale = {line.split(": ")[1] for line in said if line.startswith("stale: ")}
    # The map only distinguishes zeros from other bytes.
    assert stale == modules(*LAYERS) | {manifest.blob_path(name) for name in LAYERS} | {unchanged.REPORT}
    assert "changed since: generator/oci/tar.py: changed" in said


@pytest.mark.parametrize("name", LAYERS)
def test_changed_specification_makes_only_its_layer(tree: Path, name: str) -> None:
    edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    own = {manifest.blob_path(name), unchanged.REPORT} | modules(name)  # the map shows the BCD store alone
    findings = check(tree)
    assert {*findings[:-1]} == {f"stale: {path}: not what its sources make" for path in own}
    assert findings[-1] == f"changed since: generator/layers/{name}.toml: changed"
    assert written(generate(tree)) == own
    assert check(tree, full=True) == FRESH


def test_new_layer_needs_no_code(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    expected = {manifest.blob_path("fourth")} | modules("fourth", examples=True)
    shown = {f"stale: {path}: not what its sources make" for path in shown_documents("fourth")}
    assert {*check(tree)[:-1]} == {f"stale: {path}: not generated yet" for path in expected} | shown
    assert written(generate(tree)) == expected | shown_documents("fourth")
    assert check(tree) == FRESH


def test_engine_builds_only_changed_layers(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    noted: list[str] = []
    generate(tree, note=noted.append)
    assert [line for line in noted if line.startswith("building")] == ["building 1 hive"]


@pytest.mark.usefixtures("no_engine")
def test_new_language_needs_a_file_and_a_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"layer": (("module.ini.jinja", "ini/{name}.ini"),)}
    monkeypatch.setitem(LANGUAGES, "ini", LANGUAGES["python"]._replace(comment=";", modules=files))
    (tree / "generator/languages/ini.py").touch()
    (tree / "templates/ini").mkdir()
    (tree / "templates/ini/module.ini.jinja").write_text("; {{ provenance }}\nname={{ layer }}\n")
    assert "stale: output/ini/hostprocess.ini: not generated yet" in check(tree)
    assert written(generate(tree)) == {f"output/ini/{name}.ini" for name in LAYERS}
    assert check(tree) == FRESH
    assert (tree / "output/ini/legacy.ini").read_text().endswith("\nname=legacy\n")


@pytest.mark.usefixtures("no_engine")
def test_files_of_a_removed_layer_are_removed(tree: Path) -> None:
    (tree / "generator/layers/legacy.toml").unlink()
    gone = {"output/layers/legacy.tar.gz"} | modules("legacy", examples=True)
    said = [line for line in check(tree)[:-1] if unchanged.REPORT not in line]
    assert said == [f"stale: {path}: left over: no layer or template makes it" for path in sorted(gone)]
    assert {line for line in generate(tree) if line.startswith("removed")} == {f"removed {path}" for path in gone}
    assert check(tree) == FRESH
    assert not any((tree / path).exists() for path in gone)
    assert not (tree / "output/go/legacy").exists()
    assert "legacy" not in (tree / unchanged.MANIFEST).read_text()
