# SPDX-License-Identifier: Apache-2.0
"""What is stale, why, and what fixes it: each in a copy of this checkout that the test changes."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support import builder, need, selected

from generator import files, manifest, pipeline
from generator.builder import choose
from generator.builder.wire import ROOT
from generator.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, GeneratorError
from generator.languages import render
from generator.languages.table import LANGUAGES, committed
from generator.oci import blob, tar

FRESH = ["fresh: every output is what its inputs make"]
FIX = "to fix: ./invokew generate"
NOTHING = "fresh: nothing to do"
LAYERS = ("hostprocess", "legacy", "scratch")
FOURTH = """
[[files]]
path = "Files/Windows/System32/config/SAM"
hive = { keys = [{ path = "k", values = [{ name = "v", type = "REG_DWORD", data = 1 }] }] }
"""
PROGRAM = [sys.executable, "-B", "-m", "invoke"]


def silent(_: str) -> None:
    """Say nothing."""


def check(tree: Path, *, full: bool = False) -> list[str]:
    """Return what the staleness check says; its status must go with that."""
    said: list[str] = []
    status = pipeline.check(tree, say=said.append, note=silent, full=full, environment={})
    assert status == (EXIT_OK if said == FRESH else EXIT_STALE)
    assert said == FRESH or said[-1] == FIX
    return said[:-1] if said != FRESH else said


def generate(tree: Path, **options: Any) -> list[str]:
    """Run the pipeline on *tree*; return what it said of what it did."""
    said: list[str] = []
    given: dict[str, Any] = {"note": silent, "engine": builder()} | options
    assert pipeline.generate(tree, say=said.append, **given) == EXIT_OK
    return said


def written(said: list[str]) -> set[str]:
    """Return the files that *said* tells were written, but the manifest."""
    return {line.removeprefix("wrote ") for line in said if line.startswith("wrote ")} - {manifest.MANIFEST}


def snapshot(tree: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, time and inode of every file of *tree*."""
    return {
        path.relative_to(tree).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in tree.rglob("*")
        if path.is_file()
    }


def outputs(tree: Path) -> dict[str, bytes]:
    return {path: data for path, (data, _, _) in snapshot(tree).items() if path.startswith("output/")}


def modules(*layers: str, language: str = "") -> set[str]:
    """Return the paths of the modules of *layers*, of one *language* or of all."""
    return {f"output/{row.path}" for row in committed(layers) if row.name in layers and language in {"", row.language}}


def everything() -> set[str]:
    """Return the paths of all outputs but the manifest."""
    return {manifest.blob_path(name) for name in LAYERS} | {f"output/{row.path}" for row in committed(LAYERS)}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if an engine is asked for."""

    def select(*_: object) -> NoReturn:
        raise AssertionError("an engine was asked for")

    monkeypatch.setattr(choose, "select", select)


@pytest.fixture(autouse=True, scope="module")
def _native() -> None:
    builder()


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
    assert "\nerror: WINSCRATCH_ENGINE docker: there is no program docker on PATH; install or " in done.stderr


@pytest.mark.program
def test_a_library_that_is_not_installed_is_one_line(tree: Path) -> None:
    (tree / "jinja2.py").write_text("raise ModuleNotFoundError(name='jinja2')")
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "generate"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_ERROR, "error: jinja2 is not installed; ./invokew installs it\n")


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("path", "comment"),
    [
        ("generator/languages/render.py", "# more\n"),
        ("generator/pipeline.py", "# more\n"),
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
    assert generate(tree) == [f"wrote {manifest.MANIFEST}"]
    assert generate(tree)[0] == NOTHING
    after = snapshot(tree)
    assert {name for name in before if before[name] != after[name]} == {manifest.MANIFEST}


def test_a_changed_program_is_seen_whatever_file_it_is_in(tree: Path) -> None:
    edit(tree / "generator/oci/tar.py", "octal(mode, 8)", "octal(mode | 0o1000, 8)")
    script = "from generator import pipeline; pipeline.check('.', say=print, note=print, environment={})"
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=tree, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    stale = {line.split(": ")[1] for line in said if line.startswith("stale: ")}
    assert stale == modules(*LAYERS) | {manifest.blob_path(name) for name in LAYERS}
    assert "changed since: generator/oci/tar.py: changed" in said


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_specification_makes_only_its_own(tree: Path, name: str) -> None:
    edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    own = {manifest.blob_path(name)} | modules(name)
    findings = check(tree)
    assert {*findings[:-1]} == {f"stale: {path}: not what its sources make" for path in own}
    assert findings[-1] == f"changed since: generator/layers/{name}.toml: changed"
    assert written(generate(tree)) == own
    assert check(tree, full=True) == FRESH


def test_a_fourth_layer_needs_no_code(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    expected = {manifest.blob_path("fourth")} | modules("fourth")
    assert {*check(tree)[:-1]} == {f"stale: {path}: not generated yet" for path in expected}
    assert written(generate(tree)) == expected
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
    assert check(tree)[:-1] == [f"stale: {path}: left over: no layer or template makes it" for path in sorted(gone)]
    assert {line for line in generate(tree) if line.startswith("removed")} == {f"removed {path}" for path in gone}
    assert check(tree) == FRESH
    assert not any((tree / path).exists() for path in gone)
    assert not (tree / "output/go/legacy").exists()
    assert "legacy" not in (tree / manifest.MANIFEST).read_text()


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
    assert check(tree) == [f"stale: {path}: a directory stands in its place"]
    before = snapshot(tree)
    with pytest.raises(GeneratorError, match=r"windows_scratch\.h: a directory stands in the place of a file; move it"):
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
    assert check(tree) == ["stale: output/notes.txt: left over: no layer or template makes it"]
    noted: list[str] = []
    generate(tree, note=noted.append)
    assert "output/notes.txt: not made here; move it out of output/" in noted[-1]
    assert stranger.read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_what_a_killed_run_left_half_written_goes(tree: Path) -> None:
    left = tree / f"output/go/.go.mod{files.TEMPORARY}"
    left.write_text("half")
    assert check(tree) == FRESH
    assert generate(tree)[0] == NOTHING
    assert not left.exists()


# ---------------------------------------------------------------------------------------------
# What does not belong there


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("path", ["output/c/windows_scratch.h", "generator/layers/scratch.toml", "output/go/legacy"])
def test_a_link_in_the_place_of_a_file_or_folder_is_a_finding(tree: Path, path: str) -> None:
    real = tree.parent / "elsewhere"
    (tree / path).rename(real)
    (tree / path).symlink_to(real)
    assert f"stale: {path}: a symbolic link; put the file itself here" in check(tree)
    if not path.startswith("output/"):
        with pytest.raises(GeneratorError, match=f"^{path}: a symbolic link"):
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
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    assert len([*tree.glob("output/python/__pycache__/*.pyc")]) == 2
    assert check(tree) == FRESH
    assert check(tree, full=True) == FRESH


@pytest.mark.parametrize("path", ["output/python/pipe", "templates/go/pipe", manifest.MANIFEST])
def test_a_pipe_is_refused_at_once(tree: Path, path: str) -> None:
    (tree / path).unlink(missing_ok=True)
    os.mkfifo(tree / path)
    with pytest.raises(GeneratorError, match=f"^{path}: not a regular file"):
        check(tree)


@pytest.mark.parametrize("path", ["output/python/huge", "templates/go/huge", manifest.MANIFEST])
def test_a_huge_file_is_refused_at_once(tree: Path, path: str) -> None:
    with (tree / path).open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(GeneratorError, match=f"^{path}: larger than 67,108,864 bytes"):
        check(tree)


@pytest.mark.usefixtures("no_engine")
def test_an_output_that_git_ignores_is_a_finding(tree: Path) -> None:
    (tree / "generator/layers/build.toml").write_text(FOURTH)
    subprocess.run([need("git"), "init", "-q", tree], check=True, timeout=60)
    (tree / ".gitignore").write_text("build/\n")
    assert "stale: output/go/build/build.go: ignored by git, so that no clone has it" in check(tree)
    (tree / ".gitignore").write_text("/build/\n")
    assert not [line for line in check(tree) if "ignored" in line]


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
    path = tree / manifest.MANIFEST
    path.unlink() if damage is None else path.write_bytes(damage)
    assert check(tree) == [f"stale: {manifest.MANIFEST}: {why}"]
    assert generate(tree) == [f"wrote {manifest.MANIFEST}"]
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_a_manifest_cannot_name_files_elsewhere_for_removal(tree: Path) -> None:
    document = json.loads((tree / manifest.MANIFEST).read_text())
    record = manifest.content_hash("x", (tree / "tasks.py").read_bytes())
    (tree.parent / "outside").write_text("mine")
    document["outputs"] |= {"tasks.py": record, "../outside": record, "output/../tasks.py": record}
    (tree / manifest.MANIFEST).write_text(json.dumps(document))
    assert check(tree) == FRESH  # the outputs are; only the manifest is to be renewed
    assert generate(tree) == [f"wrote {manifest.MANIFEST}"]
    assert (tree / "tasks.py").exists()
    assert (tree.parent / "outside").read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_another_jinja2_that_makes_the_same_text_changes_nothing(tree: Path) -> None:
    path = tree / manifest.MANIFEST
    edit(path, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    assert check(tree) == FRESH
    assert generate(tree) == [f"wrote {manifest.MANIFEST}"]
    assert f'"jinja2": "{version("jinja2")}"' in path.read_text()


@pytest.mark.usefixtures("no_engine")
def test_another_jinja2_that_makes_other_text_is_stale(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(tree / manifest.MANIFEST, f'"jinja2": "{version("jinja2")}"', '"jinja2": "0.0.1"')
    real = render.render
    monkeypatch.setattr(render, "render", lambda *arguments: real(*arguments) + "\n")
    others = {path for path in everything() if not path.endswith(".gz")}
    assert {line.split(": ")[1] for line in check(tree)} == others
    assert written(generate(tree)) == others
    assert check(tree) == FRESH


def test_a_blob_that_another_zopfli_would_make_otherwise_stays(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = blob.compress
    monkeypatch.setattr(blob, "compress", lambda tar: gzip.compress(tar, 9, mtime=0))
    before = outputs(tree)
    assert check(tree, full=True) == FRESH
    assert outputs(tree) == before
    assert len(written(generate(tree, force=True))) == len(modules(*LAYERS)) + len(LAYERS)
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
from generator import pipeline
real, done = os.replace, []
def replace(source, target, **folders):
    if len(done) == {renames}:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(target)
    return real(source, target, **folders)
os.replace = replace
pipeline.generate(Path(sys.argv[1]), say=print, note=print, engine=sys.argv[2])
"""
    done = subprocess.run([sys.executable, "-B", "-c", killed, tree, builder()], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert check(tree) != FRESH
    generate(tree)
    assert check(tree) == FRESH
    repaired = outputs(tree)
    assert not [path for path in repaired if path.endswith(files.TEMPORARY)]
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
        assert waiting.wait(20)
        store(*arguments, **options)

    monkeypatch.setattr(pipeline, "_store", late)
    first: list[str] = []
    run = threading.Thread(target=pipeline.generate, args=(tree,), kwargs={"say": first.append, "note": silent})
    run.start()
    assert storing.wait(20)
    second: list[str] = []
    noted: list[str] = []

    def note(line: str) -> None:
        noted.append(line)
        waiting.set()

    assert pipeline.generate(tree, say=second.append, note=note) == EXIT_OK
    run.join(20)
    assert written(first) == modules(*LAYERS, language="go")
    assert noted == [f"waiting for another run to end, which holds the lock of {tree}"]
    assert second[0] == NOTHING


@pytest.mark.parametrize("seconds", ["1"])
def test_a_lock_that_somebody_keeps_is_given_up(tree: Path, monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", seconds)
    noted: list[str] = []
    with files.lock(tree, silent), pytest.raises(GeneratorError, match="holds its lock for more than 1 s; end that"):
        pipeline.check(tree, say=silent, note=noted.append, environment={})
    assert noted == [f"waiting for another run to end, which holds the lock of {tree}"]


def test_a_check_beside_a_check_does_not_wait(tree: Path) -> None:
    with files.lock(tree, silent, shared=True):
        assert check(tree) == FRESH


# ---------------------------------------------------------------------------------------------
# Options


def test_only_makes_one_layer_and_leaves_the_rest_stale(tree: Path) -> None:
    for name in ("scratch", "hostprocess"):
        edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    assert written(generate(tree, only="hostprocess")) == {"output/layers/hostprocess.tar.gz"} | modules("hostprocess")
    left = {manifest.blob_path("scratch")} | modules("scratch")
    assert {line.split(": ")[1] for line in check(tree)} == left
    before = snapshot(tree)
    assert generate(tree, only="legacy") == [NOTHING]
    assert snapshot(tree) == before
    assert written(generate(tree)) == left


def test_only_refuses_a_layer_that_there_is_not(tree: Path) -> None:
    with pytest.raises(GeneratorError, match="--only no: no such layer; use one of hostprocess, legacy, scratch"):
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
    assert writes == {"output/go/go.mod", manifest.blob_path("legacy")} | modules("legacy")


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
    with pytest.raises(GeneratorError, match=r"^--engine: there is no engine 'foo'"):
        generate(tree, engine="foo")


def report(tree: Path, as_json: bool, environment: dict[str, str]) -> list[str]:
    said: list[str] = []
    pipeline.check(tree, as_json=as_json, say=said.append, note=silent, environment=environment)
    return said


def test_json_says_the_same_to_machines(tree: Path) -> None:
    assert json.loads(report(tree, True, {})[0]) == {"fresh": True, "findings": [], "changed": [], "fix": None}
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/SAM2")
    (document,) = report(tree, True, {"GITHUB_ACTIONS": "true"})
    said = json.loads(document)
    assert {finding["file"] for finding in said["findings"]} == {manifest.blob_path("legacy")} | modules("legacy")
    assert {finding["reason"] for finding in said["findings"]} == {"not what its sources make"}
    assert said["changed"] == [{"file": "generator/layers/legacy.toml", "reason": "changed"}]
    assert (said["fresh"], said["fix"]) == (False, "./invokew generate")


def test_findings_are_annotations_in_github_actions(tree: Path) -> None:
    assert report(tree, False, {"GITHUB_ACTIONS": "true"}) == FRESH
    (tree / "output/a%b,c:d\ne").touch()
    stale, annotation, _ = report(tree, False, {"GITHUB_ACTIONS": "true"})
    assert stale.startswith("stale: output/a%b,c:d\ne: left over")
    assert annotation == (
        "::error file=output/a%25b%2Cc%3Ad%0Ae::output/a%25b,c:d e: left over: no layer or template makes it; "
        "run ./invokew generate"
    )


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
    for changed in ({"CI": "true"}, {}):
        if not changed:
            (tree / "output/go/go.mod").unlink()
        done = subprocess.run(command, cwd=tree, env=environment | changed, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (EXIT_ERROR, "")
        assert re.fullmatch(
            r"error: \w+ is not installed, without which .*; run \./invokew check-stale, .*\n", done.stderr
        )


SLOW = {"argparse", "asyncio", "dataclasses", "invoke", "jinja2", "msgspec", "pathlib", "subprocess", "zopfli"}


@pytest.mark.program
def test_the_check_imports_no_library_and_no_heavy_stage(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-X", "importtime", "-m", "generator", "check-stale"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "generator.manifest" in imported
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
    status = pipeline.check(tree, say=said.append, note=silent, rebuild=True, engine=engine, environment={})
    assert snapshot(tree) == before
    return status, said


def test_a_good_tree_is_what_its_sources_make(tree: Path) -> None:
    assert rebuilt(tree) == (EXIT_OK, FRESH)


@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/layers/hostprocess.tar.gz"])
def test_an_output_changed_together_with_the_manifest_is_caught_by_a_rebuild(tree: Path, path: str) -> None:
    file = tree / path
    data = file.read_bytes() + b"\n" if path.endswith(".go") else blob.compress(tar.write_tar([("evil", b"")]))
    old, new = (manifest.content_hash(path, content) for content in (file.read_bytes(), data))
    file.write_bytes(data)
    edit(tree / manifest.MANIFEST, old, new)
    assert check(tree) == FRESH
    assert check(tree, full=True) == [f"stale: {path}: not what its sources make"]
    assert rebuilt(tree) == (EXIT_STALE, [f"stale: {path}: not what its sources make", FIX])
