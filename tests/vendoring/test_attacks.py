# SPDX-License-Identifier: Apache-2.0
"""Strangers' trees: looking at them runs nothing of theirs, reads and writes nothing outside, and comes to an end."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.vendoring import commit, git, shown, states, write

from generator.base import files
from generator.base.errors import GeneratorError, one_line
from generator.base.home import TEMPORARY
from generator.vendoring import gitignore

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves the file `sprung` beside it when it is run."""
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\ntouch "{tmp_path}/sprung"\n')
    program.chmod(0o755)
    return program


def sprung(trap: Path) -> bool:
    return trap.with_name("sprung").exists()


# A stranger's repository


def lacking(repository: Path) -> None:
    """Make git fetch in *repository* when it evaluates ignore rules: their blob is missing."""
    write("python", "scratch", str(repository / "x.py"))
    (repository / ".gitignore").write_text("ignored.py\n")
    git(repository, "init", "-q")
    commit(repository)
    blob = git(repository, "rev-parse", "HEAD:.gitignore").strip()
    git(repository, "update-index", "--skip-worktree", ".gitignore")
    (repository / ".gitignore").unlink()
    (repository / "untracked.py").touch()
    (repository / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for setting in ("extensions.partialClone=origin", "remote.origin.promisor=true", "core.repositoryFormatVersion=1"):
        git(repository, "config", *setting.split("="))


def by_ssh(repository: Path, trap: Path) -> None:
    lacking(repository)
    git(repository, "config", "remote.origin.url", "ssh://nowhere.invalid/x")
    git(repository, "config", "core.sshCommand", str(trap))


def by_a_local_server(repository: Path, trap: Path) -> None:
    lacking(repository)
    git(repository, "config", "remote.origin.url", str(repository))
    git(repository, "config", "remote.origin.uploadpack", str(trap))


def by_an_external_protocol(repository: Path, trap: Path) -> None:
    lacking(repository)
    git(repository, "config", "remote.origin.url", f"ext::{trap}")
    git(repository, "config", "protocol.ext.allow", "always")
    git(repository, "config", "protocol.allow", "always")


def by_a_monitor(repository: Path, trap: Path) -> None:
    write("python", "scratch", str(repository / "x.py"))
    git(repository, "init", "-q")
    commit(repository)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "-c", "core.fsmonitor=false", "update-index", "--fsmonitor")


def by_hooks_and_filters(repository: Path, trap: Path) -> None:
    write("python", "scratch", str(repository / "x.py"))
    (repository / ".gitattributes").write_text("* filter=trap diff=trap\n")
    git(repository, "init", "-q")
    commit(repository)
    for name in ("filter.trap.clean", "filter.trap.process", "diff.trap.textconv", "core.editor", "core.pager"):
        git(repository, "config", name, str(trap))
    git(repository, "config", "core.hooksPath", str(trap.parent / "hooks"))
    (trap.parent / "hooks").mkdir()
    for name in ("post-index-change", "post-checkout", "pre-commit"):
        shutil.copy(trap, trap.parent / "hooks" / name)
    os.utime(repository / "x.py")


def by_an_included_file(repository: Path, trap: Path) -> None:
    by_ssh(repository, trap)
    settings = repository / ".git/config"
    settings.replace(repository / ".git/more")
    settings.write_text("[include]\n\tpath = more\n[core]\n\trepositoryFormatVersion = 1\n")


Attack = Callable[[Path, Path], None]
ATTACKS: list[Attack] = [
    by_ssh,
    by_a_local_server,
    by_an_external_protocol,
    by_a_monitor,
    by_hooks_and_filters,
    by_an_included_file,
]


def outermost(attack: Attack, place: Path, trap: Path) -> str:
    attack(place / "tree", trap)
    return "tree/x.py"


def found_on_the_way(attack: Attack, place: Path, trap: Path) -> str:
    attack(place / "tree/below", trap)
    return "tree/below/x.py"


def bare_as_plain_files(attack: Attack, place: Path, trap: Path) -> str:
    """A bare repository that was committed, so that it is in a clone, with a work tree beside what it is made of."""
    attack(place / "made", trap)
    shutil.copytree(place / "made/.git", place / "tree/bare.git")
    shutil.copy(place / "made/x.py", place / "tree/bare.git")
    git(place / "tree/bare.git", "config", "core.bare", "false")
    git(place / "tree/bare.git", "config", "core.worktree", str(place / "tree/bare.git"))
    shutil.rmtree(place / "made")
    git(place / "tree", "init", "-q")
    commit(place / "tree")
    git(place, "clone", "-q", "tree", "clone")
    shutil.rmtree(place / "tree")
    (place / "clone").rename(place / "tree")
    return "tree/bare.git/x.py"


def gitfile_that_leads_elsewhere(attack: Attack, place: Path, trap: Path) -> str:
    attack(trap.with_name("elsewhere"), trap)
    write("python", "scratch", "tree/x.py")
    (place / "tree/untracked.py").touch()
    (place / "tree/.git").write_text(f"gitdir: {trap.with_name('elsewhere')}/.git\n")
    return "tree/x.py"


def submodule(attack: Attack, place: Path, trap: Path) -> str:
    attack(place / "tree/module", trap)
    git(place / "tree", "init", "-q")
    head = git(place / "tree/module", "rev-parse", "HEAD").strip()
    git(place / "tree", "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    (place / "tree/module/.git").rename(place / "tree/.git/modules")
    (place / "tree/module/.git").write_text("gitdir: ../.git/modules\n")
    write("python", "scratch", "tree/y.py")
    return "tree/y.py"


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "where", [outermost, found_on_the_way, bare_as_plain_files, gitfile_that_leads_elsewhere, submodule]
)
def test_a_strangers_repository_runs_nothing(
    where: Callable[[Attack, Path, Path], str], attack: Attack, place: Path, trap: Path
) -> None:
    copy = where(attack, place, trap)
    for paths in (("tree",), ("tree/module",)) if where is submodule else (("tree",), (str(Path(copy).parent),)):
        found = states(*paths)
        assert set(found.values()) == {"fresh"}
        assert copy in found or paths == ("tree/module",)
        assert not sprung(trap)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attacks_are_real(attack: Attack, place: Path, trap: Path) -> None:
    attack(place / "tree", trap)
    question = ["status"] if attack is by_hooks_and_filters else ["ls-files", "-co", "--exclude-standard"]
    git(place / "tree", *question, check=False)
    assert sprung(trap)


def test_what_a_stranger_says_of_his_repository_is_not_believed(place: Path, tmp_path: Path) -> None:
    write("python", "scratch", "tree/x.py")
    write("python", "scratch", str(tmp_path / "outside/secret/y.py"))
    git(place / "tree", "init", "-q")
    git(place / "tree", "config", "core.worktree", str(tmp_path / "outside"))
    git(place / "tree", "config", "core.excludesFile", str(tmp_path / "rules"))
    (tmp_path / "rules").write_text("*.py\n")
    assert states("tree") == {"tree/x.py": "fresh"}


def test_rules_that_take_git_for_ever_are_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A git from 2.47 on is done with these rules at once, so no time at all is given to it.
    monkeypatch.setattr(gitignore, "_SECONDS", 0)
    name = "a" * 200 + ".py"
    write("python", "scratch", "x.py")
    Path("x.py").rename(name)
    (place / ".gitignore").write_text("*a" * 30 + "*b\n")
    git(place, "init", "-q")
    notes: list[str] = []
    assert states(notes=notes) == {name: "fresh"}
    assert notes == [f"{place}: git cannot list ignored files, so they are checked too: it takes longer than 0 s"]


@pytest.mark.parametrize("what", [".gitignore", ".git/index", ".git/info/exclude", ".git/commondir", ".git"])
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse", "loop"])
def test_odd_files_in_the_place_of_gits_own_are_no_trap(kind: str, what: str, place: Path) -> None:
    write("python", "scratch", "x.py")
    git(place, "init", "-q")
    path = place / what
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    ODD[kind](path)
    assert states() == {"x.py": "fresh"}


# Odd files


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "sparse": _sparse,
    "loop": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("kind", ODD)
def test_only_regular_files_are_candidates(kind: str, place: Path) -> None:
    write("python", "scratch", "x.py")
    ODD[kind](place / "odd.c")
    unchecked = {"odd.c": "not checked: too large for a copy"} if kind == "sparse" else {}
    assert states() == {"x.py": "fresh"} | unchecked
    if kind == "folder":
        assert states("odd.c", allow_none=True) == {}
    else:
        with pytest.raises(GeneratorError, match=r"^odd\.c: (not a regular file|larger than|cannot be read: )"):
            states("odd.c")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "sparse", "loop"])
def test_odd_files_beside_half_a_copy_or_a_list_are_no_trap(kind: str, place: Path) -> None:
    write("c", "scratch", "x.c")
    (place / "x.h").unlink()
    ODD[kind](place / "x.h")
    with pytest.raises(GeneratorError, match=r"^x\.h: (not a regular file|larger than|cannot be read: )"):
        states(update=True)
    (place / "x.h").unlink()
    ODD[kind](place / "winscratch.lock")
    with pytest.raises(GeneratorError, match=r"^winscratch\.lock: (not a regular file|larger than|cannot be read: )"):
        states()


def test_a_large_file_that_says_it_is_a_copy_is_reported_beside_others() -> None:
    for name, size in (("x.py", 20 << 30), ("y.py", 65 << 20), ("y", 65 << 20), ("fresh.py", 0)):
        write("python", "files", "fresh.py")  # longer than what decides whether a file is text
        if size:
            shutil.copy("fresh.py", name)
            os.truncate(name, size)
    large = "not checked: too large for a copy"
    assert states() == {"x.py": large, "y.py": large, "y": large, "fresh.py": "fresh"}
    with pytest.raises(GeneratorError, match=r"^x\.py: larger than 67,108,864 bytes$"):
        states("x.py")


# Written elsewhere


def test_update_does_not_write_through_a_link_in_the_place_of_its_temporary_file(older: Path, place: Path) -> None:
    write("python", "scratch", "d/x.py", older)
    (place / "victim").write_text("mine")
    (place / f"d/.x.py{TEMPORARY}").symlink_to("../victim")
    assert states("d", update=True) == {"d/x.py": "fresh: updated"}
    assert (place / "victim").read_text() == "mine"


def test_vendor_does_not_write_through_a_link_in_the_place_of_its_temporary_file(place: Path) -> None:
    (place / "victim").write_text("mine")
    (place / f".x.py{TEMPORARY}").symlink_to("victim")
    write("python", "scratch", "x.py")
    assert (place / "victim").read_text() == "mine"


def test_a_folder_that_is_a_link_leads_nowhere_though_git_has_it(older: Path, place: Path, tmp_path: Path) -> None:
    write("python", "scratch", "tree/d/x.py", older)
    git(place / "tree", "init", "-q")
    commit(place / "tree")
    outside = tmp_path / "outside"
    (place / "tree/d").rename(outside)
    (place / "tree/d").symlink_to(outside)
    before = (outside / "x.py").read_bytes()
    assert states("tree", update=True, allow_none=True) == {}
    assert (outside / "x.py").read_bytes() == before


def test_a_folder_that_becomes_a_link_before_the_copy_is_written_leads_nowhere(
    older: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("python", "scratch", "tree/d/x.py", older)
    outside = shutil.copytree(place / "tree/d", tmp_path / "outside")
    before = (outside / "x.py").read_bytes()
    replace = files.replace

    def swap(*arguments: Any, **options: Any) -> None:
        (place / "tree/d").rename(place / "moved")
        (place / "tree/d").symlink_to(outside)
        replace(*arguments, **options)

    monkeypatch.setattr(files, "replace", swap)
    with pytest.raises(GeneratorError, match="a link in place of a folder, and nothing was changed"):
        states("tree", update=True)
    assert (outside / "x.py").read_bytes() == before
    assert [path.name for path in outside.iterdir()] == ["x.py"]


# Names


def test_a_name_cannot_start_a_line_or_an_option() -> None:
    write("python", "scratch", "x.py")
    names = ["-x.py", "--force", "::error::x.py", "a\n::error::b.py", "\x1b[2Jx.py", "##[error]x.py"]
    for name in names:
        shutil.copy("x.py", name)
    Path("x.py").unlink()
    for name in names:
        path = Path(name)
        path.write_text(path.read_text("utf-8") + "# mine\n", "utf-8")
    status, lines = shown("--force", *(name for name in names if name != "--force"))
    said = [one_line(line) for line in lines]
    assert status == 1
    assert len(said) == len(names) + 1
    assert all(line.startswith("edited by hand: ") and line.isprintable() for line in said[:-1])
    assert " ./--force " in said[-1]
    assert set(states(*names)) == set(names)
