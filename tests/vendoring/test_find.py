# SPDX-License-Identifier: Apache-2.0
"""Search for copies: which files are searched and which are copies."""

import os
import shutil
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.vendoring import commit, git, shown, states, write

from generator.base.errors import GeneratorError
from generator.languages.table import LANGUAGES

pytestmark = pytest.mark.usefixtures("place")


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
    ignored = "repository/ignored/x.py"
    assert set(states(".")) == {*expected, ignored}, "nested repositories are not asked about ignored files"
    assert set(states("repository/tracked")) == {"repository/tracked/x.py"}
    assert set(states("repository/ignored/x.py")) == {"repository/ignored/x.py"}, "named itself"
    (repository / ".git").rename(repository / "gone")
    assert set(states(".")) > expected


def test_another_repository_in_the_environment_is_not_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("python", "scratch", "repository/x.py")
    git(place / "repository", "init", "-q")
    write("python", "scratch", "other/y.py")
    (place / "other/.gitignore").write_text("*\n")
    git(place / "other", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(place / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(place / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(place / "other/.git/index"))
    assert states("repository") == {"repository/x.py": "fresh"}


@pytest.mark.parametrize("broken", ["gitfile", "index", "no git", "a git that lies here"])
def test_where_git_cannot_say_nothing_is_left_out(broken: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("python", "scratch", "x.py")
    (place / ".gitignore").write_text("x.py\n")
    git(place, "init", "-q")
    assert states(allow_none=True) == {}
    if broken == "gitfile":
        shutil.rmtree(place / ".git")
        (place / ".git").write_text("gitdir: nowhere\n")
        (place / ".gitignore").unlink()
        expected: list[str] = []
    elif broken == "index":
        (place / ".git/index").write_bytes(b"DIRC" + bytes(50))
        expected = ["git cannot list ignored files, so they are checked too: "]
    else:
        monkeypatch.setenv("PATH", "." if broken == "a git that lies here" else "")
        expected = ["git is not installed, so ignored files are checked too"]
        (place / "git").write_text("#!/bin/sh\ntouch pwned\nprintf x.py\n")
        (place / "git").chmod(0o755)
    notes: list[str] = []
    assert states(notes=notes) == {"x.py": "fresh"}
    assert [note.startswith(f"{place}: {text}") for note, text in zip(notes, expected, strict=True)] == [True] * len(
        notes
    )
    assert not (place / "pwned").exists()


def test_what_git_ignores_is_what_git_says(place: Path) -> None:
    names = ["a.py", "b/a.py", "b/c/a.py", "b/keep.py", ":x.py", "-x.py", "[a].py", " .py", "ü.py", "a\nb.py"]
    names += ["deep/" * 30 + "x.py", "tracked/x.py", "excluded/x.py", "negated/x.py"]
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        write("python", "scratch", "made.py")
        (place / "made.py").replace(place / name)
    (place / ".gitignore").write_text("/tracked/\n*.py\n!/negated/*.py\n")
    (place / "b/.gitignore").write_text("!keep.py\n/c/\n")
    git(place, "init", "-q")
    git(place, "add", "-f", "tracked", "excluded")
    git(place, "rm", "-q", "--cached", "-r", "excluded")
    (place / ".git/info/exclude").write_text("/excluded/\n")
    listed = git(place, "ls-files", "-coz", "--exclude-standard").split("\0")
    expected = {name for name in listed if name.endswith(".py")}
    assert {"tracked/x.py", "b/keep.py", "negated/x.py"} == expected
    assert set(states()) == expected
    (place / ".gitignore").unlink()
    shutil.rmtree(place / "b")
    assert set(states()) == {name for name in names if not name.startswith(("b/", "excluded/"))}


def test_a_linked_work_tree_has_its_own_index_and_the_rules_of_all(place: Path) -> None:
    repository = place / "repository"
    write("python", "scratch", "repository/tracked/x.py")
    git(repository, "init", "-q")
    commit(repository)
    git(repository, "worktree", "add", "-q", str(place / "other"))
    (repository / ".git/info/exclude").write_text("/tracked/\n/excluded/\n")
    write("python", "scratch", "other/excluded/x.py")
    git(repository, "rm", "-q", "--cached", "-r", "tracked")
    assert set(states("other")) == {"other/tracked/x.py"}
    assert states("repository", allow_none=True) == {}


def test_other_repositories_in_one_are_left_out_unless_they_are_named(place: Path) -> None:
    for name in ("library", "project", "project/nested"):
        write("python", "scratch", f"{name}/x.py")
        git(place / name, "init", "-q")
    commit(place / "library")
    git(place / "project", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(place / "library"))
    assert (place / "project/library/.git").is_file()
    assert set(states("project")) == {"project/x.py"}
    assert set(states("project/library", "project/nested")) == {"project/library/x.py", "project/nested/x.py"}


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
    status, said = shown(environment={"GITHUB_ACTIONS": "true"})
    assert (status, said[:2]) == (
        1,
        [
            "edited by hand: a\nb,c:d%\udcff.py (python, scratch)",
            "::error file=a%0Ab%2Cc%3Ad%25\\udcff.py::edited by hand: a b,c:d%25\\udcff.py (python, scratch)",
        ],
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_copy_in_another_encoding_is_found_and_only_force_makes_it_anew(language: str, encoding: str) -> None:
    write(language, "scratch", "copy/")
    before = {path: path.read_bytes() for path in sorted(Path("copy").iterdir())}
    for ends in ("\n", "\r\n", "\r"):
        for path, data in before.items():
            path.write_bytes(data.decode().replace("\n", ends).encode(encoding))
        found = states()
        assert found.keys() == {str(path) for path in before}
        assert {state.partition(":")[0] for state in found.values()} == {"edited by hand"}
        assert states(update=True) == found
        if ends != "\r":
            assert {*states(update=True, force=True).values()} == {"fresh: updated"}
            assert {path: path.read_bytes() for path in before} == before


def test_what_a_file_is_called_and_where_its_line_stands_hides_no_copy(place: Path) -> None:
    """Endings, capitals, folders with a dot, and a line moved far down, across the border of two reads."""
    write("python", "scratch", "made.py")
    text = Path("made.py").read_text()
    expected = {"made.py": "fresh"}
    for name in ("x.pyw", "x.PYW", "x.pyi", "script", "x.py.in", "x.unknown", ".hidden/.x.py", ".x", "x."):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
        expected[name] = "fresh"
    for size in (8180, (1 << 20) - 40, (1 << 20) - 3, 5 << 20):
        for name in (f"{size}.py", f"{size}"):
            (place / name).write_text("#" * (size - 1) + "\n" + text)
            expected[name] = "edited by hand"
        (place / f"{size}.cs").write_bytes(("#" * (size // 2 - 1) + "\n" + text).encode("utf-16"))
        expected[f"{size}.cs"] = "edited by hand: not UTF-8, or with a byte order mark"
    for name in ("x.md", "x.patch", "x.json"):  # what quotes a copy
        (place / name).write_text(text)
    (place / "binary").write_bytes(bytes(range(256)) * 16 + text.encode())
    assert states() == expected


def test_a_symlink_to_a_copy_elsewhere_is_noted(place: Path, tmp_path: Path) -> None:
    write("python", "scratch", str(tmp_path / "outside") + "/")
    copy = tmp_path / "outside/windows_scratch.py"
    (tmp_path / "outside/other.py").touch()
    shutil.copy(copy, place / "x.py")
    for name, target in {
        "copy.py": copy,
        "folder": copy.parent,
        "other.py": copy.with_name("other.py"),
        "inside.py": place / "x.py",
        "loop": place / "loop",
        "device.py": Path("/dev/zero"),
    }.items():
        (place / name).symlink_to(target)
    notes: list[str] = []
    assert states(notes=notes) == {"x.py": "fresh"}
    remark = "which is not checked; name it to have it checked"
    assert sorted(notes) == [f"copy.py: a symlink to {copy}, {remark}", f"folder: a symlink to {copy.parent}, {remark}"]


def test_a_path_that_is_not_there_or_cannot_be_read_is_an_error() -> None:
    with pytest.raises(GeneratorError, match=r"^nowhere: no such file or directory$"):
        states("nowhere")
    with pytest.raises(GeneratorError, match=r"^--force: means nothing without --update$"):
        states(force=True)


@thorough("writes many files")
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
