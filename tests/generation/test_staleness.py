# SPDX-License-Identifier: Apache-2.0
"""What is stale, why, and what fixes it: each in a copy of this checkout that the test changes."""

import gzip
import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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
    outputs,
    shown_documents,
    silent,
    snapshot,
    written,
)
from helpers.support import need

from generator.base.errors import EXIT_ERROR, EXIT_OK, GeneratorError
from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.generation import manifest, pipeline, unchanged
from generator.languages.table import LANGUAGES
from generator.report.report import documents


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these tests say the same in a workflow of GitHub's."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


# ---------------------------------------------------------------------------------------------
# Fresh


def test_the_committed_output_is_fresh() -> None:
    assert check(ROOT) == FRESH


@pytest.mark.usefixtures("no_engine")
def test_nothing_changed_so_nothing_runs_and_nothing_is_written(tree: Path) -> None:
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert generate(tree)[0] == NOTHING
    assert snapshot(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_times_do_not_matter(tree: Path) -> None:
    for number, path in enumerate(sorted(tree.rglob("*"))):
        os.utime(path, (number, number))
    assert check(tree) == FRESH


@pytest.mark.usefixtures("no_engine")
def test_a_checkout_with_crlf_is_fresh_and_generate_writes_nothing_there(tree: Path) -> None:
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert generate(tree)[0] == NOTHING
    assert snapshot(tree) == before


@pytest.mark.parametrize("crlf", [False, True])
def test_force_makes_everything_and_finds_each_as_committed(tree: Path, crlf: bool) -> None:
    for path in tree.rglob("*"):
        if crlf and path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(tree)
    noted: list[str] = []
    assert generate(tree, force=True, note=noted.append) == [f"made {len(everything())} files: each is as committed"]
    assert "building 12 hives" in noted
    assert snapshot(tree) == before


def test_a_fresh_checkout_is_told_what_there_is_and_what_to_do_with_it(tree: Path) -> None:
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
def test_a_template_makes_only_its_languages_modules_from_the_committed_blob(
    tree: Path, template: str, language: str, old: str, new: str
) -> None:
    edit(tree / "templates" / template, old, new)
    findings = check(tree)
    assert findings[-1] == f"changed since: templates/{template}: changed"
    ending = Path(template).with_suffix("").suffix
    made = {path for path in modules(*LAYERS, language=language) if path.endswith(ending)}
    assert {line.split(": ")[1] for line in findings[:-1]} == made
    assert written(generate(tree)) == made
    assert check(tree) == FRESH


@pytest.mark.program
def test_a_template_is_rendered_where_there_is_no_engine_and_no_hivex(tree: Path) -> None:
    environment = {"PATH": "", "WINSCRATCH_ENGINE": "docker", "PYTHONDONTWRITEBYTECODE": "1"}
    edit(tree / "templates/go/module.go.jinja", "is the layer's name", "is its name")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, "generate"], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.returncode == EXIT_OK, done.stderr
    assert written(done.stdout.splitlines()) == modules(*LAYERS, language="go")
    # The same machine cannot build a hive, so nothing could have hidden an engine's use.
    edit(tree / "generator/layers/scratch.toml", '"winscratch"', '"other"')
    done = run()
    assert done.returncode == EXIT_ERROR
    assert "\nerror: WINSCRATCH_ENGINE docker: docker not found on PATH; hint: install or " in done.stderr


@pytest.mark.program
def test_a_library_that_is_not_installed_is_one_line(tree: Path) -> None:
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
def test_what_changes_no_output_makes_nothing_stale(tree: Path, path: str, comment: str) -> None:
    with (tree / path).open("a") as file:
        file.write(comment)
    before = snapshot(tree)
    assert check(tree) == FRESH
    assert snapshot(tree) == before
    assert generate(tree) == [f"wrote {unchanged.MANIFEST}"]
    assert generate(tree)[0] == NOTHING
    after = snapshot(tree)
    assert {name for name in before if before[name] != after[name]} == {unchanged.MANIFEST}


def test_a_changed_program_is_seen_whatever_file_it_is_in(tree: Path) -> None:
    edit(tree / "generator/oci/tar.py", "octal(mode, 8)", "octal(mode | 0o1000, 8)")
    script = (
        "from generator.generation import pipeline; from generator.report.report import documents; "
        "pipeline.check('.', documents, say=print, note=print, environment={})"
    )
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=tree, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    stale = {line.split(": ")[1] for line in said if line.startswith("stale: ")}
    # The picture of the map tells zeros from other bytes, and no more.
    assert stale == modules(*LAYERS) | {manifest.blob_path(name) for name in LAYERS} | {unchanged.REPORT}
    assert "changed since: generator/oci/tar.py: changed" in said


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_specification_makes_only_its_own(tree: Path, name: str) -> None:
    edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    own = {manifest.blob_path(name)} | modules(name) | shown_documents(name)
    findings = check(tree)
    assert {*findings[:-1]} == {f"stale: {path}: not what its sources make" for path in own}
    assert findings[-1] == f"changed since: generator/layers/{name}.toml: changed"
    assert written(generate(tree)) == own
    assert check(tree, full=True) == FRESH


def test_a_fourth_layer_needs_no_code(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    expected = {manifest.blob_path("fourth")} | modules("fourth")
    shown = {f"stale: {path}: not what its sources make" for path in shown_documents("fourth")}
    assert {*check(tree)[:-1]} == {f"stale: {path}: not generated yet" for path in expected} | shown
    assert written(generate(tree)) == expected | shown_documents("fourth")
    assert check(tree) == FRESH


def test_the_engine_builds_the_hives_of_layers_that_changed_and_no_others(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    noted: list[str] = []
    generate(tree, note=noted.append)
    assert [line for line in noted if line.startswith("building")] == ["building 1 hive"]


@pytest.mark.usefixtures("no_engine")
def test_a_further_language_needs_a_file_and_a_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_removed_layers_files_are_left_over_and_go(tree: Path) -> None:
    (tree / "generator/layers/legacy.toml").unlink()
    gone = {"output/layers/legacy.tar.gz"} | modules("legacy")
    said = [line for line in check(tree)[:-1] if unchanged.REPORT not in line]
    assert said == [f"stale: {path}: left over: no layer or template makes it" for path in sorted(gone)]
    assert {line for line in generate(tree) if line.startswith("removed")} == {f"removed {path}" for path in gone}
    assert check(tree) == FRESH
    assert not any((tree / path).exists() for path in gone)
    assert not (tree / "output/go/legacy").exists()
    assert "legacy" not in (tree / unchanged.MANIFEST).read_text()


# ---------------------------------------------------------------------------------------------
# An output changed


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/c/windows_legacy.h", "output/go/go.mod"])
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "edited by hand, or half written"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "edited by hand, or half written"),
        (Path.unlink, "deleted"),
    ],
)
def test_a_damaged_module_is_made_again_from_the_blob(
    tree: Path, path: str, damage: Callable[[Path], None], why: str
) -> None:
    before = outputs(tree)
    damage(tree / path)
    assert check(tree) == [f"stale: {path}: {why}"]
    assert generate(tree) == [f"wrote {path}"]
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_a_directory_in_the_place_of_an_output_is_named_and_left_alone(tree: Path) -> None:
    path = "output/c/windows_scratch.h"
    (tree / path).unlink()
    (tree / path).mkdir()
    assert check(tree) == [f"stale: {path}: a directory in its place"]
    before = snapshot(tree)
    with pytest.raises(GeneratorError, match=r"windows_scratch\.h: a directory in place of a file; hint: move it"):
        generate(tree)
    assert snapshot(tree) == before


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_only_a_damaged_blob_is_built_again_through_the_engine(tree: Path, damage: bytes | None) -> None:
    before = outputs(tree)
    blob = tree / "output/layers/scratch.tar.gz"
    blob.unlink() if damage is None else blob.write_bytes(damage)
    assert check(tree)[0].startswith("stale: output/layers/scratch.tar.gz: ")
    noted: list[str] = []
    said = generate(tree, note=noted.append)
    assert "building 6 hives" in noted
    assert written(said) == {"output/layers/scratch.tar.gz"}
    assert outputs(tree) == before
    assert check(tree) == FRESH


def test_all_outputs_deleted_are_made_again(tree: Path) -> None:
    before = outputs(tree)
    shutil.rmtree(tree / "output")
    assert check(tree)[0] == "stale: output/manifest.json: missing"
    generate(tree)
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_a_stranger_in_output_is_named_and_left_alone(tree: Path) -> None:
    stranger = tree / "output/notes.txt"
    stranger.write_text("mine")
    assert check(tree) == [f"stale: output/notes.txt: {manifest.STRANGE}"]
    finding = [manifest.Finding("output/notes.txt", manifest.STRANGE)]
    assert manifest.report(finding, [], False, {}) == [f"stale: {finding[0]}"]  # nothing that generate could do
    assert json.loads(manifest.report(finding, [], True, {})[0])["fix"] is None
    noted: list[str] = []
    generate(tree, note=noted.append)
    assert "output/notes.txt: not generated; hint: move it out of output/" in noted[-1]
    assert stranger.read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_what_a_killed_run_left_half_written_goes(tree: Path) -> None:
    left = tree / f"output/go/.go.mod{TEMPORARY}"
    left.write_text("half")
    assert check(tree) == [f"stale: output/go/{left.name}: left half written by a killed run"]
    assert generate(tree)[0] == NOTHING
    assert not left.exists()


# ---------------------------------------------------------------------------------------------
# What does not belong there


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "path", ["output/c/windows_scratch.h", "generator/layers/scratch.toml", "output/go/legacy", "output", "templates"]
)
def test_a_link_in_the_place_of_a_file_or_folder_is_a_finding(tree: Path, path: str) -> None:
    real = tree.parent / "elsewhere"
    (tree / path).rename(real)
    (tree / path).symlink_to(real)
    assert f"stale: {path}: a symlink; hint: replace it with the file itself" in check(tree)
    if not path.startswith("output/"):
        with pytest.raises(GeneratorError, match=f"^{path}: a symlink"):
            generate(tree)


@pytest.mark.usefixtures("no_engine")
def test_a_link_in_the_place_of_an_output_becomes_the_output(tree: Path) -> None:
    path = tree / "output/c/windows_scratch.h"
    before = outputs(tree)
    path.rename(tree.parent / "elsewhere")
    path.symlink_to(tree.parent / "elsewhere")
    generate(tree)
    assert not path.is_symlink()
    assert outputs(tree) == before
    assert check(tree) == FRESH


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("output/.hidden", "a hidden file or folder"),
        ("output/python/.d/x.py", "a hidden file or folder"),
        ("templates/go/.module.go.jinja", "a hidden file or folder"),
        ("output/python/__pycache__/gone.cpython-311.pyc", "bytecode without a source"),
        ("output/python/__pycache__/notes.txt", "bytecode without a source"),
        ("generator/layers/more/fifth.toml", "not a specification"),
        ("generator/layers/notes.txt", "not a specification"),
        ("generator/layers/__pycache__/fifth.toml", "a hidden file or folder"),
        ("templates/go/__pycache__/module.go.jinja", "a hidden file or folder"),
        (f"templates/go/.x{TEMPORARY}", "a hidden file or folder"),
        (f"output/.x{TEMPORARY}/payload", "a hidden file or folder"),
        (f"output/go/.x{TEMPORARY}", "left half written by a killed run"),
    ],
)
def test_what_does_not_belong_there_is_a_finding(tree: Path, path: str, why: str) -> None:
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).touch()
    assert any(why in line for line in check(tree)), check(tree)


@pytest.mark.usefixtures("no_engine")
def test_the_bytecode_of_imported_modules_is_no_finding(tree: Path) -> None:
    script = "import windows_scratch, windows_legacy"
    environment = {"PYTHONPATH": str(tree / "output/python"), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert len([*tree.glob("output/python/__pycache__/*.pyc")]) == 2
    assert check(tree) == FRESH
    assert check(tree, full=True) == FRESH


@pytest.mark.parametrize("path", ["output/python/pipe", "templates/go/pipe", unchanged.MANIFEST])
def test_a_pipe_is_refused_at_once(tree: Path, path: str) -> None:
    (tree / path).unlink(missing_ok=True)
    os.mkfifo(tree / path)
    with pytest.raises(GeneratorError, match=f"^{path}: not a regular file"):
        check(tree)


@pytest.mark.parametrize("path", ["output/python/huge", "templates/go/huge", unchanged.MANIFEST])
def test_a_huge_file_is_refused_at_once(tree: Path, path: str) -> None:
    with (tree / path).open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(GeneratorError, match=f"^{path}: larger than 67,108,864 bytes"):
        check(tree)


@pytest.mark.usefixtures("no_engine")
def test_bytecode_that_python_runs_whatever_the_source_is_a_finding(tree: Path) -> None:
    cache = tree / "output/python/__pycache__/windows_scratch.cpython-311.pyc"
    cache.parent.mkdir()
    code = compile("print('not the source')", "x", "exec")
    cache.write_bytes(importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + bytes(8) + marshal.dumps(code))
    assert "bytecode that Python would run whatever its source holds" in check(tree)[0]
    cache.unlink()
    os.mkfifo(cache)
    with pytest.raises(GeneratorError, match="not a regular file"):
        check(tree)


def test_a_program_whose_bytecode_is_not_its_sources_is_not_believed(tree: Path) -> None:
    def said() -> list[str]:
        environment = {"PATH": os.environ["PATH"], "CI": "true"}
        command = [sys.executable, "-m", "generator", "check-stale"]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        return done.stdout.splitlines()

    assert said() == FRESH
    source = tree / "generator/oci/tar.py"
    before = source.stat()
    edit(source, "0o644", "0o600")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = [line for line in said() if line.startswith("stale: ")]
    assert found[0].startswith("stale: generator/oci/tar.py: Python runs other bytecode than it compiles to")


def test_a_blob_longer_than_it_need_be_is_stale(tree: Path) -> None:
    path = tree / manifest.blob_path("scratch")
    data = path.read_bytes()
    path.write_bytes(data[:10] + b"\0\0\0\xff\xff" * 5000 + data[10:])  # empty stored blocks, which unpack to nothing
    assert gzip.decompress(path.read_bytes()) == gzip.decompress(data)
    assert any("scratch.tar.gz: edited by hand" in line for line in check(tree))
    generate(tree)
    assert path.read_bytes() == data


def test_a_run_never_writes_through_a_link_that_leads_elsewhere(tree: Path) -> None:
    elsewhere = tree.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "windows_scratch.py").write_text("mine")
    shutil.rmtree(tree / "output/python")
    (tree / "output/python").symlink_to(elsewhere)
    with pytest.raises(GeneratorError, match="a link in place of a folder"):
        generate(tree)
    assert [path.name for path in elsewhere.iterdir()] == ["windows_scratch.py"]
    assert (elsewhere / "windows_scratch.py").read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_an_output_that_git_ignores_is_a_finding(tree: Path) -> None:
    (tree / "generator/layers/build.toml").write_text(FOURTH)
    subprocess.run([need("git"), "init", "-q", tree], check=True)
    (tree / ".gitignore").write_text("build/\n")
    assert "stale: output/go/build/build.go: ignored by git, so clones lack it" in check(tree)
    (tree / ".gitignore").write_text("/build/\n")
    assert not [line for line in check(tree) if "ignored" in line]
    (tree / ".gitignore").write_text("manifest.json\nbuild.toml\n")
    ignored = {line.split(": ")[1] for line in check(tree) if "ignored by git" in line}
    assert ignored == {unchanged.MANIFEST, "generator/layers/build.toml"}


@pytest.mark.usefixtures("no_engine")
def test_a_git_that_cannot_say_what_it_ignores_is_told(tree: Path) -> None:
    (tree / ".git").write_text("gitdir: nowhere\n")
    noted: list[str] = []
    assert pipeline.check(tree, documents, say=silent, note=noted.append, full=True, environment={}) == EXIT_OK
    assert noted == ["git failed, so files that a clone would lack are not reported"]
