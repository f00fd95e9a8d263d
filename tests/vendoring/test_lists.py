# SPDX-License-Identifier: Apache-2.0
"""winscratch.lock, the list of a project's copies: kept, held against what is there, and never obeyed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.vendoring import commit, each, git, shown, states, write

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.vendoring import lock_file

pytestmark = pytest.mark.usefixtures("place")
LIST = Path("winscratch.lock")


def entries(path: Path = LIST) -> dict[str, dict[str, str]]:
    document = tomllib.loads(path.read_text("utf-8"))
    assert document["format"] == 1
    copies: dict[str, dict[str, str]] = document["copies"]
    assert list(copies) == sorted(copies)
    return copies


def listed(*lines: str) -> None:
    LIST.write_text("\n".join(("format = 1", "[copies]", *lines, "")), "utf-8")


def test_vendor_begins_a_list_when_told_to_and_then_keeps_it() -> None:
    write("go", "scratch", "b/x.go")
    assert not LIST.exists()
    write("c", "legacy", "a b/x.c", lock=True)
    assert LIST.read_text("utf-8").splitlines()[1:] == [
        "format = 1",
        "",
        "[copies]",
        '"a b/x.c" = { language = "c", layer = "legacy" }',
        '"a b/x.h" = { language = "c", layer = "legacy" }',
    ]
    write("go", "scratch", 'd"ü.go', lock=True, package="d")
    write("go", "legacy", "b/x.go")
    write("c", "scratch", "a b/x.c")
    assert entries() == {
        "a b/x.c": {"language": "c", "layer": "scratch"},
        "a b/x.h": {"language": "c", "layer": "scratch"},
        "b/x.go": {"language": "go", "layer": "legacy"},
        'd"ü.go': {"language": "go", "layer": "scratch"},
    }
    assert set(states().values()) == {"fresh"}
    before = LIST.stat()
    write("c", "scratch", "a b/x.c")
    assert LIST.stat().st_mtime_ns == before.st_mtime_ns


def test_vendor_that_cannot_list_writes_nothing(place: Path) -> None:
    for name in ("a\nb.go", "c:d.go", "e\\f.go", "\udcff.go"):
        with pytest.raises(GeneratorError, match=r"winscratch\.lock cannot list a name"):
            write("go", "scratch", name, lock=True, package="p")
    with pytest.raises(GeneratorError, match=r"outside/x\.py: not below .*, so winscratch\.lock there cannot list it$"):
        write("python", "scratch", "../outside/x.py", lock=True)
    listed("broken")
    with pytest.raises(GeneratorError, match=r"^winscratch\.lock: invalid TOML: "):
        write("python", "scratch", "x.py")
    assert [path.name for path in place.iterdir()] == ["winscratch.lock"]
    assert not (place.parent / "outside").exists()


def test_vendor_says_and_shows_what_becomes_of_the_list() -> None:
    write("python", "scratch", "x.py", lock=True)
    before = LIST.read_bytes()
    said: list[str] = []
    write("python", "legacy", "y.py", said=said, dry_run=True)
    assert said == ["would write y.py", "would write winscratch.lock"]
    write("python", "legacy", "y.py", said=said, diff=True)
    assert said[-1] == '+"y.py" = { language = "python", layer = "legacy" }'
    assert LIST.read_bytes() == before
    write("python", "scratch", "x.py", said=said)
    assert said[-2:] == ["unchanged: x.py", "unchanged: winscratch.lock"]


def test_a_removed_copy_is_missed(place: Path) -> None:
    write("python", "scratch", "a/x.py", lock=True)
    write("python", "scratch", "b/y.py")
    (place / "a/x.py").unlink()
    found = {"a/x.py": "missing: listed in winscratch.lock", "b/y.py": "fresh"}
    assert states() == states(update=True) == found
    assert shown()[1][-2:] == [
        "to fix: ./invokew vendor python scratch a/x.py",
        "or take it off the list: ./invokew vendored --update --lock .",
    ]
    assert states("a") == {"a/x.py": found["a/x.py"]}
    assert states("b") == {"b/y.py": "fresh"}
    (place / "b/y.py").unlink()
    assert set(states()) == {"a/x.py", "b/y.py"}, "though no copy is left"
    assert states("b", update=True, lock=True, allow_none=True) == {}
    assert list(entries()) == ["a/x.py"]


def test_the_fix_for_copies_that_are_missing_is_one_command_for_each() -> None:
    write("c", "legacy", "a b/x.c", lock=True)
    write("python", "scratch", "-y/y.py")
    for name in ("a b/x.c", "a b/x.h", "-y/y.py"):
        Path(name).unlink()
    assert [line for line in shown()[1] if line.startswith("to fix")] == [
        "to fix: ./invokew vendor python scratch ./-y/y.py",
        "to fix: ./invokew vendor c legacy 'a b/x.c'",
    ]
    write("python", "scratch", "./-y/y.py")
    write("c", "legacy", "a b/x.c")
    assert set(states().values()) == {"fresh"}


def test_a_list_elsewhere_does_not_make_a_check_of_nothing_succeed(place: Path) -> None:
    write("python", "scratch", "a/x.py", lock=True)
    (place / "empty").mkdir()
    for options in each({}, {"update": True}):
        with pytest.raises(GeneratorError, match=r"^nothing was checked: "):
            shown("empty", **options)
    assert shown("empty", allow_none=True) == (0, ["no copies found"])


def test_a_copy_that_became_unrecognisable_is_missed(place: Path) -> None:
    write("python", "scratch", "x.py", lock=True)
    (place / "x.py").write_text("print()\n")
    assert states() == {"x.py": "missing: listed in winscratch.lock"}


def test_a_copy_that_is_not_listed_as_it_is_is_a_finding(place: Path) -> None:
    write("python", "scratch", "x.py", lock=True)
    LIST.rename("kept")
    write("python", "legacy", "x.py")
    write("python", "scratch", "y.py")
    Path("kept").rename(LIST)
    assert states() == {
        "x.py": "not listed: in winscratch.lock, which has it as python, scratch",
        "y.py": "not listed: in winscratch.lock",
    }
    assert states("y.py") == {"y.py": "not listed: in winscratch.lock"}
    assert shown()[1][-1] == "to fix: ./invokew vendored --update ."
    assert states("y.py", update=True) == {"y.py": "fresh"}
    assert states(update=True) == states() == {"x.py": "fresh", "y.py": "fresh"}
    assert (place / "x.py").is_file()


def test_update_says_as_a_result_that_it_wrote_a_list() -> None:
    write("python", "scratch", "x.py")
    fresh = "fresh: x.py (python, scratch)"
    assert shown(dry_run=True, lock=True)[1][0] == "would write winscratch.lock"
    assert shown(update=True, lock=True) == (0, ["wrote winscratch.lock", fresh])
    assert shown(update=True, lock=True) == (0, [fresh])
    LIST.unlink()
    notes: list[str] = []
    assert states(update=True, lock=True, notes=notes) == {"x.py": "fresh"}
    assert notes == ["wrote winscratch.lock"]


def test_update_begins_lists_where_it_is_told_to_and_forgets_what_is_gone(place: Path) -> None:
    for name in ("one/a/x.py", "one/y.py", "two/z.py"):
        write("python", "scratch", name)
    assert states("one", "two", update=True, lock=True) == states()
    assert list(entries(place / "one/winscratch.lock")) == ["a/x.py", "y.py"]
    assert list(entries(place / "two/winscratch.lock")) == ["z.py"]
    assert not LIST.exists()
    (place / "one/y.py").unlink()
    for diff in (False, True):
        before = (place / "one/winscratch.lock").read_bytes()
        status, said = shown("one", lock=True, dry_run=True, diff=diff)
        assert (status, '-"y.py" = { language = "python", layer = "scratch" }' in said) == (1, diff)
        assert (place / "one/winscratch.lock").read_bytes() == before
    assert states("one", update=True, lock=True) == {"one/a/x.py": "fresh"}
    assert states("one/a", update=True, lock=True) == {"one/a/x.py": "fresh"}
    assert not (place / "one/a/winscratch.lock").exists()
    with pytest.raises(GeneratorError, match=r"^--lock: means nothing without --update$"):
        states(lock=True)


def test_the_list_of_a_repository_holds_for_what_is_below_and_no_further(place: Path) -> None:
    write("python", "scratch", "project/a/x.py")
    git(place / "project", "init", "-q")
    listed()
    assert states("project") == {"project/a/x.py": "fresh"}
    assert states("project", update=True, lock=True) == {"project/a/x.py": "fresh"}
    assert entries() == {}
    (place / "project/a/x.py").unlink()
    assert states("project/a") == {"project/a/x.py": "missing: listed in project/winscratch.lock"}


def test_what_is_listed_is_checked_though_git_ignores_it(place: Path) -> None:
    for name in ("build/x.py", "build/y.py", "build/other/z.py"):
        write("python", "scratch", name)
    listed('"build/x.py" = { language = "python", layer = "scratch" }')
    (place / "build/other/winscratch.lock").write_text(LIST.read_text("utf-8"))
    (place / ".gitignore").write_text("/build/\n")
    git(place, "init", "-q")
    assert states() == {"build/x.py": "fresh"}


def test_a_listed_path_is_a_name_and_nothing_more(place: Path, tmp_path: Path) -> None:
    write("python", "scratch", str(tmp_path / "outside/x.py"))
    (place / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(place / "pipe.py")
    listed(
        '"link/x.py" = { language = "python", layer = "scratch" }',
        '"pipe.py" = { language = "python", layer = "scratch" }',
    )
    assert set(states().values()) == {"missing: listed in winscratch.lock"}
    assert set(states(update=True, lock=True, allow_none=True)) == set()
    assert entries() == {}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x.py",
        "a/../../x.py",
        "a//x.py",
        "./x.py",
        "a/",
        "",
        "C:/x.py",
        "C:x.py",
        "a\\\\x.py",
        "a\\nb.py",
        "\\u001b[2Jx.py",
        "\\u202ex.py",
        "\\u0000",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    write("python", "scratch", "x.py")
    listed(f'"{path}" = {{ language = "python", layer = "scratch" }}')
    with pytest.raises(GeneratorError, match=r"^winscratch\.lock: copies\..*: not a path below the list's folder") as e:
        states()
    assert str(e.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"format: None, not 1"),
        ("format = 2\n", r"format: 2, not 1"),
        ("format = 1\nfiles = 3\n", r"holds more than format and copies"),
        ("format = 1\ncopies = 3\n", r"holds more than format and copies"),
        ("format = 1\n[copies]\nx = 3\n", r"copies\.'x': not \{ language = …, layer = … \}"),
        ("format = 1\n[copies]\nx = { language = 'c' }\n", r"copies\.'x': not \{ language = …, layer = … \}"),
        (
            "format = 1\n[copies]\nx = { language = 'c', layer = 1 }\n",
            r"copies\.'x': language and layer are not plain text",
        ),
        (
            'format = 1\n[copies]\nx = { language = "c", layer = "\\u001b" }\n',
            r"copies\.'x': language and layer are not plain text",
        ),
        (
            f'format = 1\n[copies]\nx = {{ language = "c", layer = "{"x" * 65}" }}\n',
            r"copies\.'x': language and layer are not plain text",
        ),
        ("<<<<<<< ours\n", r"invalid TOML: "),
        ("format = 1\n[copies]\n'a' = {}\n'a' = {}\n", r"invalid TOML: "),
        ("x = " + "[" * 5000, r"line 1: arrays or tables nested more than 64 deep"),
        ("\udcff", r"byte 0 is not UTF-8"),
        ("format = 1\n[copies]\n" + "a." * 65 + "a = 1\n", r"line 3: more than 64 words joined by dots"),
        (f'format = 1\n[copies]\n"{"a" * 4097}" = {{ language = "c", layer = "x" }}\n', r"copies\..*: not a path"),
    ],
)
def test_a_damaged_list_is_one_line_that_says_the_fix(text: str, message: str) -> None:
    write("python", "scratch", "x.py")
    LIST.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GeneratorError, match=rf"^winscratch\.lock: {message}.*; hint: (correct it|use the)"):
        states()


@pytest.mark.parametrize(
    "line", ["a." * 40_000 + "a = 1\n", "[" + "a." * 40_000 + "a]\n", "x = { " + "a." * 40_000 + "a = 1 }\n"]
)
def test_a_list_made_to_take_for_ever_is_refused_at_once(line: str, place: Path) -> None:
    LIST.write_text("format = 1\n[copies]\n" + line, "utf-8")
    command = [sys.executable, "-B", "-m", "generator", "vendored", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "winscratch.lock: line 3: more than 64 words joined by dots" in done.stderr


def test_a_copy_whose_path_has_too_many_dots_is_not_listed(place: Path) -> None:
    with pytest.raises(GeneratorError, match=r"winscratch\.lock cannot list a name with .* over 64 dots$"):
        write("python", "scratch", "a." * 70 + "d/x.py", lock=True)
    assert list(place.iterdir()) == []


def test_lists_of_two_branches_merge_line_by_line(place: Path) -> None:
    for name in "abcdefgh":
        write("python", "scratch", f"{name}.py", lock=True)
    git(place, "init", "-q", "-b", "main")
    commit(place)
    for branch, added, gone in (("one", "a1", "d"), ("two", "f1", "h")):
        git(place, "checkout", "-q", "-b", branch, "main")
        write("python", "scratch", f"{added}.py")
        Path(f"{gone}.py").unlink()
        states(update=True, lock=True)
        commit(place)
    git(place, "merge", "-q", "-m", "both", "one")
    assert list(entries()) == [f"{name}.py" for name in ("a", "a1", "b", "c", "e", "f", "f1", "g")]
    assert set(states().values()) == {"fresh"}


def test_a_list_is_read_as_it_was_written() -> None:
    made = {
        name: lock_file.LockEntry("c", 'a"b') for name in ('"', "'", "a b", "ü/日本.py", "#", "a.b", "=", "[x]", "{}")
    }
    LIST.write_text(lock_file.text(made), "utf-8")
    assert lock_file.read(Path.cwd()) == made
