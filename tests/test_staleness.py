# SPDX-License-Identifier: Apache-2.0
"""What is stale, why, and what mends it: each in a copy of this checkout that the test changes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support import lack

from generator import files, manifest, pipeline
from generator.builder import choose
from generator.builder.process import EngineError
from generator.builder.wire import ROOT
from generator.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, GeneratorError
from generator.languages import render
from generator.languages.table import LANGUAGES, Language
from generator.oci import blob as layer
from generator.oci import tar

FRESH = ["fresh: every output is what its inputs make"]
MEND = "to mend: ./invokew generate"
LAYERS = ("hostprocess", "legacy", "scratch")
FOURTH = """
[[files]]
path = "Files/Windows/System32/config/SAM"
hive = { keys = [{ path = "k", values = [{ name = "v", type = "REG_DWORD", data = 1 }] }] }
"""
PROGRAM = [sys.executable, "-B", "-m", "invoke"]


def check(tree: Path) -> list[str]:
    """Return what the staleness check says; its status must go with that."""
    said: list[str] = []
    status = pipeline.check(tree, as_json=False, say=said.append, environment={})
    assert status == (EXIT_OK if said == FRESH else EXIT_STALE)
    assert said == FRESH or said[-1] == MEND
    return said[:-1] if said != FRESH else said


def generate(tree: Path, **options: Any) -> list[str]:
    """Run the pipeline on *tree* with Debian's hivex; return what it said of what it did."""
    said: list[str] = []
    assert pipeline.generate(tree, say=said.append, engine="native", **options) == EXIT_OK
    return [line for line in said if not line.startswith("engine: ")]


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
    made = manifest.Tree(ROOT).outputs().values()
    return {o.path for o in made if o.layer in layers and o.language and language in {"", o.language}}


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
    try:
        choose.select("native", lambda _: None)
    except EngineError as error:
        lack(str(error))


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
    assert generate(tree) == ["fresh: nothing to do"]
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
    assert generate(tree) == ["fresh: nothing to do"]
    assert snapshot(tree) == before


def test_force_makes_everything_and_finds_each_as_committed(tree: Path) -> None:
    before = snapshot(tree)
    said = generate(tree, force=True)
    assert said == ["building 12 hives", "rendering 13 files", "made 16 files: each is as committed"]
    assert snapshot(tree) == before


def test_force_in_a_checkout_with_crlf_writes_nothing(tree: Path) -> None:
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(tree)
    assert generate(tree, force=True)[-1] == "made 16 files: each is as committed"
    assert snapshot(tree) == before


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
    (finding,) = check(tree)
    assert finding.startswith(f"stale: templates/{template}: changed since output/{language}/")
    said = generate(tree)
    assert written(said) == modules(*LAYERS, language=language)
    assert check(tree) == FRESH


def test_a_template_is_rendered_where_there_is_no_engine_and_no_hivex(tree: Path) -> None:
    environment = {"PATH": "", "WINSCRATCH_ENGINE": "docker", "PYTHONDONTWRITEBYTECODE": "1"}
    edit(tree / "templates/go/module.go.jinja", "is the layer's name", "is its name")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, "generate"], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert written(done.stdout.splitlines()) == modules(*LAYERS, language="go")
    # The same machine cannot build a hive, so nothing could have hidden an engine's use.
    edit(tree / "generator/layers/scratch.toml", '"winscratch"', '"other"')
    done = run()
    assert done.returncode == EXIT_ERROR
    assert done.stderr.startswith("error: WINSCRATCH_ENGINE docker: there is no program docker on PATH; install or ")


def test_a_library_that_is_not_installed_is_one_line(tree: Path) -> None:
    (tree / "jinja2.py").write_text("raise ModuleNotFoundError(name='jinja2')")
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "generate"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_ERROR, "error: jinja2 is not installed; ./invokew installs it\n")


@pytest.mark.usefixtures("no_engine")
def test_a_filter_makes_every_module_and_no_blob(tree: Path) -> None:
    with (tree / "generator/languages/render.py").open("a") as file:
        file.write("# more\n")
    assert check(tree)[0].startswith("stale: generator/languages/render.py: changed since output/")
    assert written(generate(tree)) == modules(*LAYERS)
    assert check(tree) == FRESH


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_specification_makes_only_its_own(tree: Path, name: str) -> None:
    edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    (finding,) = check(tree)
    assert finding == f"stale: generator/layers/{name}.toml: changed since output/layers/{name}.tar.gz was made"
    assert written(generate(tree)) == {f"output/layers/{name}.tar.gz"} | modules(name)
    assert check(tree) == FRESH


def test_a_comment_in_a_specification_is_found_to_change_nothing(tree: Path) -> None:
    with (tree / "generator/layers/legacy.toml").open("a") as file:
        file.write("# more\n")
    before = outputs(tree)
    assert check(tree) != FRESH
    assert not written(generate(tree))
    assert check(tree) == FRESH
    after = outputs(tree)
    assert {path for path in before if before[path] != after[path]} == {manifest.MANIFEST}


@pytest.mark.parametrize(
    "path", ["Dockerfile.hivex", "generator/hivebuilder/emptyhive.py", "generator/hivebuilder/__main__.py"]
)
def test_the_builder_makes_everything(tree: Path, path: str) -> None:
    with (tree / path).open("a") as file:
        file.write("# more\n")
    (finding,) = check(tree)
    assert finding == f"stale: {path}: changed since output/layers/hostprocess.tar.gz and 2 more was made"
    assert generate(tree)[0] == "building 12 hives"
    assert check(tree) == FRESH


def test_a_new_file_of_the_builder_makes_everything(tree: Path) -> None:
    (tree / "generator/hivebuilder/more.py").touch()
    assert check(tree)[0].startswith("stale: generator/hivebuilder/more.py: added since output/layers/")
    assert generate(tree)[0] == "building 12 hives"
    assert check(tree) == FRESH


def test_a_fourth_layer_needs_no_code(tree: Path) -> None:
    (tree / "generator/layers/fourth.toml").write_text(FOURTH)
    assert check(tree)[0] == "stale: output/layers/fourth.tar.gz: not generated yet"
    expected = {"output/layers/fourth.tar.gz"} | {p.replace("legacy", "fourth") for p in modules("legacy")}
    assert written(generate(tree)) == expected
    assert check(tree) == FRESH


@pytest.mark.usefixtures("no_engine")
def test_a_further_language_needs_a_folder_and_an_entry(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "ini", Language("ini", ";", (("module.ini.jinja", "ini/{name}.ini"),)))
    (tree / "templates/ini").mkdir()
    (tree / "templates/ini/module.ini.jinja").write_text("; {{ provenance }}\nname={{ layer }}\n")
    assert check(tree)[0] == "stale: output/ini/hostprocess.ini: not generated yet"
    assert written(generate(tree)) == {f"output/ini/{name}.ini" for name in LAYERS}
    assert check(tree) == FRESH
    assert (tree / "output/ini/legacy.ini").read_text().endswith("\nname=legacy\n")


@pytest.mark.usefixtures("no_engine")
def test_a_removed_layers_files_are_left_over_and_go(tree: Path) -> None:
    (tree / "generator/layers/legacy.toml").unlink()
    gone = {"output/layers/legacy.tar.gz"} | modules("legacy")
    assert check(tree) == [f"stale: {path}: left over: no layer or template makes it" for path in sorted(gone)]
    assert {line for line in generate(tree) if line.startswith("removed")} == {f"removed {path}" for path in gone}
    assert check(tree) == FRESH
    assert not any((tree / path).exists() for path in gone)
    assert not (tree / "output/go/legacy").exists()
    assert "legacy" not in (tree / manifest.MANIFEST).read_text()


@pytest.mark.usefixtures("no_engine")
def test_a_removed_layer_whose_files_are_gone_too_leaves_nothing_in_the_manifest(tree: Path) -> None:
    (tree / "generator/layers/legacy.toml").unlink()
    for path in {"output/layers/legacy.tar.gz"} | modules("legacy"):
        (tree / path).unlink()
    assert "in the manifest still" in check(tree)[0]
    generate(tree)
    assert check(tree) == FRESH
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
    assert generate(tree) == ["rendering 1 files", f"wrote {path}"]
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
    findings = check(tree)
    assert findings[0].startswith("stale: output/layers/scratch.tar.gz: ")
    said = generate(tree)
    assert said[0] == "building 6 hives"
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
    assert "output/notes.txt: not made here; move it out of output/" in generate(tree)[0]
    assert stranger.read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_what_a_killed_run_left_half_written_goes(tree: Path) -> None:
    left = tree / f"output/go/.go.mod{files.TEMPORARY}"
    left.write_text("half")
    assert check(tree) == FRESH
    assert generate(tree) == ["fresh: nothing to do"]
    assert not left.exists()


# ---------------------------------------------------------------------------------------------
# The manifest


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "damaged"),
        (b"[]", "damaged"),
        (b"{", "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"format": 1, "outputs": {"a": 1}, "tools": {}}', "damaged"),
        (b'{"format": 2}', "of format 2, not 1"),
        (b'{"format": "a\\nb"}', "of format a b, not 1"),
        (None, "missing"),
    ],
)
def test_a_damaged_manifest_is_named_and_made_again(tree: Path, damage: bytes | None, why: str) -> None:
    before = outputs(tree)
    path = tree / manifest.MANIFEST
    path.unlink() if damage is None else path.write_bytes(damage)
    assert check(tree)[0] == f"stale: {manifest.MANIFEST}: {why}"
    assert generate(tree)[-1] == f"wrote {manifest.MANIFEST}"
    assert outputs(tree) == before


def test_one_layer_made_under_a_damaged_manifest_leaves_the_rest_stale(tree: Path) -> None:
    before = outputs(tree)
    (tree / manifest.MANIFEST).write_bytes(b"{")
    assert generate(tree, only="legacy")[0] == "building 1 hive"
    findings = check(tree)
    assert not [line for line in findings if "legacy" in line]
    assert "stale: output/layers/scratch.tar.gz: not in the manifest" in findings
    generate(tree)
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_a_manifest_cannot_name_files_elsewhere_for_removal(tree: Path) -> None:
    document = json.loads((tree / manifest.MANIFEST).read_text())
    record = {"from": {}, "sha256": manifest.content_hash("x", (tree / "tasks.py").read_bytes())}
    (tree.parent / "outside").write_text("mine")
    document["outputs"] |= {"tasks.py": record, "../outside": record, "output/../tasks.py": record}
    (tree / manifest.MANIFEST).write_text(json.dumps(document))
    assert len(check(tree)) == 3
    generate(tree)
    assert check(tree) == FRESH
    assert (tree / "tasks.py").exists()
    assert (tree.parent / "outside").read_text() == "mine"


def record_version(tree: Path, tool: str) -> None:
    """Have the manifest say that another version of *tool* made the outputs."""
    document = json.loads((tree / manifest.MANIFEST).read_text())
    document["tools"][tool] = "0.0.1"
    (tree / manifest.MANIFEST).write_bytes((json.dumps(document, indent=1, sort_keys=True) + "\n").encode())


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("tool", ["jinja2", "zopfli"])
def test_another_version_of_a_tool_that_makes_the_same_bytes_changes_nothing(tree: Path, tool: str) -> None:
    record_version(tree, tool)
    before = snapshot(tree)
    assert check(tree) == FRESH
    generate(tree)
    assert snapshot(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_another_zopfli_that_makes_other_bytes_makes_other_blobs(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_version(tree, "zopfli")
    monkeypatch.setattr(layer, "_GZIP_HEADER", bytes([31, 139, 8, 0, 0, 0, 0, 0, 4, 255]))
    said = generate(tree)
    assert written(said) == modules(*LAYERS) | {f"output/layers/{name}.tar.gz" for name in LAYERS}
    assert check(tree) == FRESH
    assert generate(tree) == ["fresh: nothing to do"]


@pytest.mark.usefixtures("no_engine")
def test_another_jinja_that_makes_other_bytes_makes_other_modules(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_version(tree, "jinja2")
    real = render.render
    monkeypatch.setattr(render, "render", lambda *arguments: real(*arguments) + "\n")
    # One layer made by it does not make it the version of all.
    assert written(generate(tree, only="legacy")) == modules("legacy")
    assert written(generate(tree)) == modules("hostprocess", "scratch") | {"output/go/go.mod"}
    assert check(tree) == FRESH
    assert generate(tree) == ["fresh: nothing to do"]


@pytest.mark.usefixtures("no_engine")
def test_a_fresh_tree_needs_no_tool(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "tool_versions", lambda: dict.fromkeys(pipeline.TOOLS, "unknown"))
    assert generate(tree) == ["fresh: nothing to do"]


def test_the_versions_of_the_tools_are_those_installed() -> None:
    from importlib.metadata import version

    assert pipeline.tool_versions() == {tool: version(tool) for tool in pipeline.TOOLS}


# ---------------------------------------------------------------------------------------------
# Interrupted, and side by side


@pytest.mark.parametrize("renames", [0, 1, 5])
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
pipeline.generate(Path(sys.argv[1]), say=print, engine="native")
"""
    done = subprocess.run([sys.executable, "-B", "-c", killed, tree], capture_output=True, check=False)
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

    def late(*arguments: Any) -> None:
        storing.set()
        assert waiting.wait(20)
        store(*arguments)

    monkeypatch.setattr(pipeline, "_store", late)
    first: list[str] = []
    run = threading.Thread(target=pipeline.generate, args=(tree,), kwargs={"say": first.append})
    run.start()
    assert storing.wait(20)
    second: list[str] = []

    def say(line: str) -> None:
        second.append(line)
        waiting.set()

    assert pipeline.generate(tree, say=say) == EXIT_OK
    run.join(20)
    assert written(first) == modules(*LAYERS, language="go")
    assert second == ["waiting for another run to end", "fresh: nothing to do"]


def test_a_check_beside_a_check_does_not_wait(tree: Path) -> None:
    with files.lock(tree, lambda _: None, shared=True):
        assert check(tree) == FRESH


# ---------------------------------------------------------------------------------------------
# Options


def test_only_makes_one_layer_and_leaves_the_rest_stale(tree: Path) -> None:
    for name in ("scratch", "hostprocess"):
        edit(tree / f"generator/layers/{name}.toml", "config/SAM", "config/SAM2")
    assert written(generate(tree, only="hostprocess")) == {"output/layers/hostprocess.tar.gz"} | modules("hostprocess")
    assert check(tree) == ["stale: generator/layers/scratch.toml: changed since output/layers/scratch.tar.gz was made"]
    before = snapshot(tree)
    assert generate(tree, only="legacy") == ["fresh: nothing to do for legacy"]
    assert snapshot(tree) == before


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
    assert said[:2] == [
        "stale: generator/layers/legacy.toml: changed since output/layers/legacy.tar.gz was made",
        "stale: output/go/go.mod: deleted",
    ]
    assert set(said[2:]) == {"would build output/layers/legacy.tar.gz with an engine"} | {
        f"would render {path}" for path in {"output/go/go.mod"} | modules("legacy")
    }


@pytest.mark.usefixtures("no_engine")
def test_a_forced_dry_run_names_everything(tree: Path) -> None:
    said = generate(tree, dry_run=True, force=True)
    assert len(said) == 16
    assert sum(line.endswith("with an engine") for line in said) == 3


def report(tree: Path, as_json: bool, environment: dict[str, str]) -> list[str]:
    said: list[str] = []
    pipeline.check(tree, as_json=as_json, say=said.append, environment=environment)
    return said


def test_json_says_the_same_to_machines(tree: Path) -> None:
    assert json.loads(report(tree, True, {})[0]) == {"fresh": True, "findings": [], "mend": None}
    edit(tree / "generator/layers/legacy.toml", "config/SAM", "config/SAM2")
    (document,) = report(tree, True, {"GITHUB_ACTIONS": "true"})
    assert json.loads(document) == {
        "fresh": False,
        "findings": [
            {"file": "generator/layers/legacy.toml", "reason": "changed", "outputs": ["output/layers/legacy.tar.gz"]}
        ],
        "mend": "./invokew generate",
    }


def test_findings_are_annotations_in_github_actions(tree: Path) -> None:
    assert report(tree, False, {"GITHUB_ACTIONS": "true"}) == FRESH
    (tree / "output/a%b,c:d\ne").touch()
    stale, annotation, _ = report(tree, False, {"GITHUB_ACTIONS": "true"})
    assert stale.startswith("stale: output/a%b,c:d e: left over")
    assert annotation == (
        "::error file=output/a%25b%2Cc%3Ad%0Ae::output/a%25b,c:d%0Ae: left over: no layer or template makes it; "
        "run ./invokew generate"
    )


# ---------------------------------------------------------------------------------------------
# The check needs the standard library alone

# Neither site packages nor the user's; -I would forbid the current directory too.
BARE = [sys.executable, "-S", "-s", "-E", "-B"]


def test_the_check_runs_without_a_virtual_environment(tree: Path) -> None:
    absent = subprocess.run([*BARE, "-c", "import jinja2"], cwd=tree, capture_output=True, check=False)
    assert absent.returncode, "this Python has Jinja even without its site packages"
    command = [*BARE, "-m", "generator", "check-stale"]
    environment = {"PATH": "", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (EXIT_OK, FRESH, "")
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*command, "--json"], cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_STALE, "")
    assert json.loads(done.stdout)["findings"][0]["file"] == "output/go/go.mod"


def test_the_check_imports_no_library_and_no_heavy_stage(tree: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-X", "importtime", "-m", "generator", "check-stale"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "generator.manifest" in imported
    heavy = {f"generator.{room}" for room in ("builder", "spec", "oci", "languages.render", "hives")}
    assert not imported & ({"jinja2", "msgspec", "zopfli", "invoke", "asyncio", "subprocess"} | heavy)


def test_a_wrong_word_is_refused_with_the_usage(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-m", "generator", "chek-stale"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (EXIT_ERROR, "")
    assert done.stderr.startswith("usage: python -m generator check-stale")


def test_the_tasks_end_with_the_checks_status(tree: Path) -> None:
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "check-stale"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_STALE, "")
    assert done.stdout.splitlines() == ["stale: output/go/go.mod: deleted", MEND]


# ---------------------------------------------------------------------------------------------
# Rebuilt from source


def rebuilt(tree: Path) -> tuple[int, list[str]]:
    said: list[str] = []
    before = snapshot(tree)
    status = pipeline.check_rebuilt(tree, "native", as_json=False, say=said.append, progress=lambda _: None)
    assert snapshot(tree) == before
    return status, said


def test_a_good_tree_is_what_its_sources_make(tree: Path) -> None:
    assert rebuilt(tree) == (EXIT_OK, FRESH)


@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/layers/hostprocess.tar.gz"])
def test_an_output_changed_together_with_the_manifest_is_caught_by_a_rebuild(tree: Path, path: str) -> None:
    file = tree / path
    data = file.read_bytes() + b"\n" if path.endswith(".go") else layer.compress(tar.write_tar([("evil", b"")]))
    old, new = (manifest.content_hash(path, content) for content in (file.read_bytes(), data))
    file.write_bytes(data)
    edit(tree / manifest.MANIFEST, old, new)
    assert check(tree) == FRESH
    assert rebuilt(tree) == (EXIT_STALE, [f"stale: {path}: not what its sources make", MEND])
