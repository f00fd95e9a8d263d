# SPDX-License-Identifier: Apache-2.0
"""Copies found again, judged, brought up to date, and watched by pre-commit and GitHub's runner."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import INVOKE, lack

from generator.copies import vendor, vendored
from generator.errors import GeneratorError
from generator.languages import provenance
from generator.languages.table import LANGUAGES

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("place")
NO_CI: dict[str, str] = {}


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of winscratch as it is now, that a test may clone or use as another version."""
    clone = tmp_path_factory.mktemp("winscratch")
    for name in ("generator", "output", "templates"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-hooks.yaml", "action.yml"):
        shutil.copy(ROOT / name, clone / name)
    git(clone, "init", "-q")
    commit(clone)
    return clone


@pytest.fixture
def older(toolchain: Path, tmp_path: Path) -> Path:
    """A winscratch with other templates, so that what it makes is outdated here."""
    root = tmp_path / "older"
    shutil.copytree(toolchain, root, ignore=shutil.ignore_patterns(".git"))
    for template in (root / "templates").rglob("module.*"):
        mark = "#" if template.parent.name == "python" else "//"
        template.write_text(template.read_text("utf-8") + f"{mark} older\n", "utf-8")
    return root


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "-c", "commit.gpgsign=false", "commit", "-qm", "all")


def write(language: str, name: str, destination: str, root: Path = ROOT, **options: str | bool | None) -> None:
    vendor.vendor(root, language, name, destination, say=lambda _: None, **options)  # type: ignore[arg-type]


def states(*paths: str, **options: Any) -> dict[str, str]:
    said: list[str] = []
    given = paths or (".",)
    status = vendored.check(ROOT, given, as_json=True, say=said.append, environment=NO_CI, **options)
    copies = json.loads(said[-1])
    assert status == any(copy["state"] != "fresh" for copy in copies)
    return {copy["path"]: copy["state"] + (f": {copy['detail']}" if copy["detail"] else "") for copy in copies}


def reseal(path: str, old: str = "", new: str = "", **fields: object) -> None:
    """Rewrite a copy's text and what it records of itself, and seal it as if it had been made so."""
    text = Path(path).read_text("utf-8")
    assert old in text
    text = text.replace(old, new)
    held = provenance.recorded(text)
    assert held
    line = json.dumps(held | {"body": provenance.UNSEALED} | fields, separators=(",", ":"), sort_keys=True)
    text = re.sub(r"winscratch:\{.*", lambda _: "winscratch:" + line, text, count=1)
    Path(path).write_text(provenance.seal(text), "utf-8")


# States


def test_copies_of_every_kind_are_found_fresh() -> None:
    for language in LANGUAGES:
        for name in ("scratch", "legacy", "hostprocess"):
            write(language, name, f"{language}/{name}/")
    found = states()
    assert len(found) == 3 * len([file for row in LANGUAGES.values() for file in row.modules["layer"]])
    assert set(found.values()) == {"fresh"}
    assert list(found) == sorted(found)
    assert states(*found) == found
    assert states("python", "./python/../python", "python/scratch") == {p: s for p, s in found.items() if p[0] == "p"}


def test_no_copies_is_no_fault() -> None:
    said: list[str] = []
    assert vendored.check(ROOT, ["."], as_json=False, say=said.append, environment=NO_CI) == 0
    assert said == ["no copies found"]
    assert states() == {}


def test_each_state_and_what_brought_it_about(older: Path) -> None:
    for name in ("fresh", "edited", "unknown", "newer", "bytes", "same", "damaged", "future", "crlf", "language"):
        write("go", "scratch", f"{name}.go", package="p")
    write("go", "scratch", "template.go", older, package="p")
    zeros = provenance.UNSEALED
    Path("edited.go").write_text(Path("edited.go").read_text() + "// mine\n")
    Path("damaged.go").write_text(Path("damaged.go").read_text().replace('","', '""', 1))
    Path("crlf.go").write_bytes(Path("crlf.go").read_bytes().replace(b"\n", b"\r\n"))
    reseal("unknown.go", layer="nano")
    reseal("language.go", language="rust")
    reseal("newer.go", "uncompressed", "plain", version="99.1")
    reseal("same.go", version="99.1")
    reseal("bytes.go", "regf", "REGF", digest=zeros.replace("0", "1"), diff_id=zeros.replace("0", "2"))
    reseal("future.go", version="0.2rc1", something="new", version2=1)
    assert states() == {
        "bytes.go": "outdated: layer bytes changed",
        "crlf.go": "fresh",
        "damaged.go": "edited by hand: its winscratch line is damaged",
        "edited.go": "edited by hand",
        "fresh.go": "fresh",
        "future.go": "newer version: made by 0.2rc1, this is 0.1.0",
        "language.go": "unknown layer: not in this winscratch",
        "newer.go": "newer version: made by 99.1, this is 0.1.0",
        "same.go": "fresh",
        "template.go": "outdated: template only changed",
        "unknown.go": "unknown layer: not in this winscratch",
    }


def test_a_copy_by_an_older_version_that_would_be_the_same_is_fresh() -> None:
    write("python", "scratch", "x.py")
    reseal("x.py", version="0.0.9")
    assert states() == {"x.py": "fresh"}


@pytest.mark.parametrize(
    "line", ["winscratch:{", '# winscratch:{"a":' + "[" * 100_000, "# winscratch:{}", "# winscratch:{\0"]
)
def test_a_nonsense_line_is_an_edit_or_nothing(line: str) -> None:
    Path("x.py").write_text(line + "\n")
    assert states() in ({}, {"x.py": "edited by hand: its winscratch line is damaged"})


def test_what_merely_mentions_the_line_is_no_copy() -> None:
    Path("x.py").write_text('MARK = "winscratch:{"\n    # winscratch:{"layer":"scratch"}\n')
    assert states() == {}


# Finding


def test_git_says_what_to_look_at(place: Path) -> None:
    repository = place / "repository"
    for name in ("tracked", "untracked", "ignored", "ignored-but-tracked", ".git-like", "deleted"):
        write("python", "scratch", f"repository/{name}/x.py")
    (repository / ".gitignore").write_text("/ignored*/\n")
    git(repository, "init", "-q")
    git(repository, "add", "tracked", "deleted", ".gitignore")
    git(repository, "add", "-f", "ignored-but-tracked")
    (repository / "deleted/x.py").unlink()
    shutil.copytree(repository / "tracked", repository / ".git/hooks/copy")
    expected = {f"repository/{n}/x.py" for n in ("tracked", "untracked", "ignored-but-tracked", ".git-like")}
    assert set(states("repository")) == expected
    assert set(states(".")) == expected, "also where the checkout is below the folder that is named"
    assert set(states("repository/tracked")) == {"repository/tracked/x.py"}
    assert set(states("repository/ignored/x.py")) == {"repository/ignored/x.py"}, "named itself"
    (repository / ".git").rename(repository / "gone")
    assert set(states(".")) > expected


def test_another_repository_in_the_environment_is_not_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("python", "scratch", "repository/x.py")
    git(place / "repository", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(ROOT))
    assert states("repository") == {"repository/x.py": "fresh"}


def test_a_broken_checkout_or_no_git_is_searched_all_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("python", "scratch", "x.py")
    (place / ".git").write_text("gitdir: nowhere\n")
    assert states() == {"x.py": "fresh"}
    monkeypatch.setenv("PATH", "")
    assert states() == {"x.py": "fresh"}


def test_links_pipes_and_odd_names_are_no_trap(place: Path, tmp_path: Path) -> None:
    write("python", "scratch", str(tmp_path / "outside") + "/")
    (place / "link.py").symlink_to(tmp_path / "outside/windows_scratch.py")
    (place / "loop").symlink_to(".")
    (place / "dangling.py").symlink_to("nowhere")
    (place / "folder.py").mkdir()
    os.mkfifo(place / "pipe.py")
    odd = "a\nb,c:d%\udcff.py"
    shutil.copy(tmp_path / "outside/windows_scratch.py", odd)
    (place / "binary.c").write_bytes(bytes(range(256)) * 100)
    assert states() == {odd: "fresh"}
    git(place, "init", "-q")
    assert states() == {odd: "fresh"}
    assert states("link.py") == {"link.py": "fresh"}
    Path(odd).write_bytes(Path(odd).read_bytes() + b"\n")
    said: list[str] = []
    assert vendored.check(ROOT, ["."], as_json=False, say=said.append, environment={"GITHUB_ACTIONS": "true"}) == 1
    assert said[:2] == [
        "edited by hand: a\nb,c:d%\udcff.py (python, scratch)",
        "::error file=a%0Ab%2Cc%3Ad%25\\udcff.py::edited by hand: a b,c:d%25\\udcff.py (python, scratch)",
    ]


def test_a_path_that_is_not_there_or_cannot_be_read_is_an_error() -> None:
    with pytest.raises(GeneratorError, match=r"^nowhere: no such file or directory$"):
        states("nowhere")
    with pytest.raises(GeneratorError, match=r"^--force: means nothing without --update$"):
        states(force=True)


def test_a_tree_of_100_000_files_is_searched_in_seconds(place: Path) -> None:
    def seconds() -> float:  # of the processor, ours and git's, whatever else the machine does
        return sum(os.times()[:4])

    for number in range(250):
        folder = place / f"d{number % 10}" / f"d{number}"
        folder.mkdir(parents=True)
        source = folder / "f0.py"
        source.write_text("import os\n" * 500)
        for index in range(1, 400):  # a quarter are source files; links cost no blocks
            os.link(source, folder / f"f{index}.{('py', 'txt', 'json', 'md')[index % 4]}")
    write("python", "scratch", "d3/d33/x.py")
    for checkout in (False, True):
        if checkout:
            git(place, "init", "-q")
        started = seconds()
        assert states() == {"d3/d33/x.py": "fresh"}
        assert seconds() - started < 5, f"checkout: {checkout}"  # about one


# Bringing up to date


def test_update_makes_outdated_copies_anew_with_their_names(older: Path) -> None:
    write("go", "legacy", "layers/base.go", older, package="mine", prefix="Base", compat="imgutil")
    write("c", "scratch", "c/base.c", older, prefix="mine")
    write("python", "scratch", "fresh.py")
    before = Path("fresh.py").stat().st_mtime_ns
    assert set(states().values()) == {"outdated: template only changed", "fresh"}
    assert states(update=True) == {
        "c/base.c": "fresh: updated",
        "c/base.h": "fresh: updated",
        "fresh.py": "fresh",
        "layers/base.go": "fresh: updated",
    }
    assert set(states().values()) == {"fresh"}
    assert Path("fresh.py").stat().st_mtime_ns == before
    text = Path("layers/base.go").read_text()
    write("go", "legacy", "expected.go", package="mine", prefix="Base", compat="imgutil")
    assert text == Path("expected.go").read_text()
    assert "mine_layer[" in Path("c/base.h").read_text()


def test_update_never_touches_edited_copies_without_force(older: Path) -> None:
    write("go", "scratch", "x.go", older, package="p")
    edited = Path("x.go").read_bytes() + b"// mine\n"
    Path("x.go").write_bytes(edited)
    assert states(update=True) == {"x.go": "edited by hand"}
    assert Path("x.go").read_bytes() == edited
    assert states(update=True, force=True) == {"x.go": "fresh: updated"}
    assert states() == {"x.go": "fresh"}


def test_update_with_force_still_leaves_what_it_cannot_make(older: Path) -> None:
    write("go", "scratch", "newer.go", older, package="p")
    write("go", "scratch", "unknown.go", older, package="p")
    write("go", "scratch", "damaged.go", older, package="p")
    reseal("newer.go", version="99.0")
    Path("newer.go").write_text(Path("newer.go").read_text() + "// mine\n")
    reseal("unknown.go", layer="nano")
    Path("damaged.go").write_text(Path("damaged.go").read_text().replace('","', '""', 1))
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    assert set(states(update=True, force=True)) == set(before)
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_update_makes_a_c_pair_anew_together_or_not_at_all(older: Path) -> None:
    write("c", "scratch", "x.c", older)
    assert states("x.c", update=True) == {"x.c": "fresh: updated", "x.h": "fresh: updated"}
    write("c", "scratch", "y.c", older)
    Path("y.h").write_text(Path("y.h").read_text() + "// mine\n")
    before = Path("y.c").read_bytes()
    assert states("y.c", update=True) == {
        "y.c": "outdated: template only changed; not updated, for y.h is: edited by hand",
        "y.h": "edited by hand",
    }
    assert Path("y.c").read_bytes() == before
    Path("y.h").write_text("// another's\n")
    assert states("y.c", update=True) == {"y.c": "fresh: updated"}


def test_names_in_a_strangers_copy_are_not_trusted(older: Path) -> None:
    write("go", "scratch", "x.go", older, package="p")
    reseal("x.go", options={"package": 'p;import _ "os"', "prefix": "", "compat": ""})
    before = Path("x.go").read_bytes()
    (state,) = states(update=True).values()
    assert re.fullmatch(r"edited by hand: its winscratch line holds a wrong name: .* use --package", state)
    assert Path("x.go").read_bytes() == before
    reseal("x.go", options={"package": "p", "prefix": "", "compat": ""}, file="../../tasks.py")
    assert states(update=True) == {"x.go": "unknown layer: not in this winscratch"}
    reseal("x.go", layer="../layers/scratch", file="module.go.jinja")
    assert states(update=True) == {"x.go": "unknown layer: not in this winscratch"}


def test_update_writes_through_a_link_that_is_named(older: Path) -> None:
    write("go", "scratch", "real/x.go", older, package="p")
    Path("link.go").symlink_to("real/x.go")
    assert states("link.go", update=True) == {"link.go": "fresh: updated"}
    assert Path("link.go").is_symlink()
    assert states("real") == {"real/x.go": "fresh"}


# The task, the module's command, pre-commit, and GitHub's runner


def run(*command: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    inherited = {k: v for k, v in os.environ.items() if k not in {"GITHUB_ACTIONS", "CI"}}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=inherited | (environment or {}), timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.program
def test_the_task_takes_many_paths_that_may_be_named_as_tasks_are(older: Path) -> None:
    for number in range(30):
        write("python", "scratch", f"d{number}/")
    write("python", "scratch", "test/x.py", older)
    paths = [f"d{number}" for number in range(30)]
    status, shown, _ = run(*INVOKE, "vendored", *paths)
    assert (status, shown.count("fresh: ")) == (0, 30)
    status, shown, _ = run(*INVOKE, "vendored", "--json", "test", "d1")
    assert (status, [copy["state"] for copy in json.loads(shown)]) == (1, ["fresh", "outdated"])
    status, shown, _ = run(*INVOKE, "vendored", "test", "--update")
    assert (status, shown) == (0, "fresh: test/x.py (python, scratch): updated\n")
    status, shown, _ = run(*INVOKE, "vendored")
    assert (status, shown.count("fresh: ")) == (0, 31)
    assert run(*INVOKE, "vendored", "d1", "gone") == (2, "", "error: gone: no such file or directory\n")


@pytest.mark.program
def test_hives_can_be_checked_many_at_once(place: Path) -> None:
    for name in ("a", "b"):
        (place / name).write_bytes(b"not a hive")
    status, shown, error = run(*INVOKE, "check-hive", "a", "b")
    assert status == 1
    assert (shown + error).count("\n") >= 2
    assert run(*INVOKE, "check-hive") == (2, "", "error: check-hive: name the hives to check\n")


@pytest.mark.program
def test_without_its_packages_the_check_is_one_line() -> None:
    write("python", "scratch", "x.py")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from generator.__main__ import main; sys.exit(main())"
    code = code.replace("main()", "main(['vendored', *sys.argv[1:]])")
    status, shown, said = run(sys.executable, "-I", "-S", "-c", code, "x.py")
    assert (status, shown) == (2, "")
    assert re.fullmatch(r"error: \w+ is not installed; .*\n", said)


@pytest.mark.parametrize("command", [[*INVOKE, "vendored"], [sys.executable, str(ROOT / "generator/hook")]])
@pytest.mark.program
def test_a_reader_that_leaves_early_is_no_traceback(command: list[str]) -> None:
    write("python", "scratch", "x.py")
    reseal("x.py", version="99")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


def test_pre_commit_runs_the_hook_from_a_clone(
    toolchain: Path, older: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("pre_commit") is None:
        lack("there is no pre-commit for this Python")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    revision = git(toolchain, "rev-parse", "HEAD").strip()
    (place / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: file://{toolchain}\n  rev: {revision}\n  hooks:\n  - id: winscratch-vendored\n"
    )
    write("go", "scratch", "layers/", compat="imgutil")
    write("c", "scratch", "src/base.c")
    (place / "other.py").write_text("print()\n")
    git(place, "init", "-q")
    commit(place)

    def pre_commit() -> tuple[int, str, str]:
        return run(sys.executable, "-m", "pre_commit", "run", "--all-files")

    status, shown, _ = pre_commit()
    assert status == 0, shown
    assert "Passed" in shown
    copy = place / "layers/windows_scratch.go"
    fresh = copy.read_bytes()
    copy.write_bytes(fresh + b"// mine\n")
    git(place, "add", "-A")
    status, shown, _ = pre_commit()
    assert (status, "edited by hand: layers/windows_scratch.go (go, scratch)" in shown) == (1, True), shown
    copy.unlink()
    write("go", "scratch", "layers/", older)
    git(place, "add", "-A")
    status, shown, _ = pre_commit()
    assert (status, "outdated: layers/windows_scratch.go" in shown) == (1, True), shown


def test_the_github_action_runs_as_the_runner_runs_it(toolchain: Path, place: Path) -> None:
    if importlib.util.find_spec("yaml") is None:
        lack("there is no PyYAML for this Python")
    import yaml

    action = yaml.safe_load((toolchain / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    (step,) = action["runs"]["steps"]
    (variable,) = step["env"]
    assert step["env"][variable] == "${{ inputs.paths }}"
    assert step["shell"] == "bash"

    def runner(paths: str) -> tuple[int, str, str]:
        environment = {"GITHUB_ACTION_PATH": str(toolchain), "GITHUB_ACTIONS": "true", variable: paths}
        return run("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"], environment=environment)

    write("python", "scratch", "a b/x.py")
    write("python", "scratch", "$(touch c)/y.py")
    assert runner(action["inputs"]["paths"]["default"])[0] == 0
    assert runner("a b\n$(touch c)\n")[:2] == (
        0,
        "fresh: $(touch c)/y.py (python, scratch)\nfresh: a b/x.py (python, scratch)\n",
    )
    assert not (place / "c").exists()
    (place / "a b/x.py").write_text((place / "a b/x.py").read_text() + "# mine\n")
    status, shown, _ = runner(".")
    assert status == 1
    assert "::error file=a b/x.py::edited by hand: a b/x.py (python, scratch)" in shown
    assert runner("gone") == (2, "", "error: gone: no such file or directory\n")
