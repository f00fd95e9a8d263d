# SPDX-License-Identifier: Apache-2.0
"""The state of each copy, and copies brought up to date."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.support import INVOKEW
from helpers.vendoring import each, reseal, run, shown, states, write

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.languages import provenance
from generator.languages.table import LANGUAGES

pytestmark = pytest.mark.usefixtures("place")


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


def test_a_check_of_nothing_is_an_error_unless_it_is_expected(place: Path) -> None:
    (place / "x.py").write_text("print()\n")
    for options in each({}, {"update": True}, {"diff": True}):
        with pytest.raises(
            GeneratorError, match=r"^nothing was checked: .*; hint: name the paths of the copies, or use --allow-none$"
        ):
            shown(**options)
    assert shown(allow_none=True) == (0, ["no copies found"])
    assert states(allow_none=True) == {}
    write("python", "scratch", "y.py")
    assert states(allow_none=True) == {"y.py": "fresh"}


def test_a_named_file_that_is_no_copy_is_a_finding(place: Path) -> None:
    (place / "x.py").write_text("print()\n")
    write("python", "scratch", "y.py")
    for options in each({}, {"allow_none": True}):
        assert states("x.py", "y.py", **options) == {
            "x.py": "no copy: it has no winscratch line",
            "y.py": "fresh",
        }
    assert shown("x.py") == (
        1,
        ["no copy: x.py: it has no winscratch line", "to fix: name only copies, and folders that hold some"],
    )


def test_a_named_file_that_was_a_copy_is_edited(place: Path) -> None:
    write("python", "scratch", "x.py", lock=True)
    write("python", "scratch", "y.py")
    (place / "x.py").write_text("print()\n")
    (place / "y.py").write_text(re.sub(r".*winscratch:\{.*\n", "", (place / "y.py").read_text("utf-8")), "utf-8")
    assert states("x.py", "y.py") == dict.fromkeys(("x.py", "y.py"), "edited by hand: it has no winscratch line")
    assert shown("x.py")[1][-1] == "to fix, overwriting the file: ./invokew vendor --force LANGUAGE LAYER FILE"


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
    reseal("future.go", version="0.3rc1", something="new", version2=1)
    assert states() == {
        "bytes.go": "outdated: layer bytes changed",
        "crlf.go": "fresh",
        "damaged.go": "edited by hand: its winscratch line is damaged",
        "edited.go": "edited by hand",
        "fresh.go": "fresh",
        "future.go": "newer version: made by 0.3rc1, this is 0.2.0",
        "language.go": "unknown layer: not in this winscratch",
        "newer.go": "newer version: made by 99.1, this is 0.2.0",
        "same.go": "fresh",
        "template.go": "outdated: template only changed",
        "unknown.go": "unknown layer: not in this winscratch",
    }


def test_a_copy_by_an_older_version_that_would_be_the_same_is_fresh() -> None:
    write("python", "scratch", "x.py")
    reseal("x.py", version="0.0.9")
    assert states() == {"x.py": "fresh"}


@pytest.mark.parametrize("line", ['# winscratch:{"a":' + "[" * 100_000, "# winscratch:{}", "# winscratch:{\0"])
def test_a_nonsense_line_is_an_edit(line: str) -> None:
    Path("x.py").write_text(line + "\n")
    assert states() == {"x.py": "edited by hand: its winscratch line is damaged"}


LOST: dict[str, Callable[[str], str]] = {
    "deleted": lambda text: re.sub(r".*winscratch:\{.*\n", "", text),
    "indented": lambda text: text.replace("// winscratch:{", "\t// winscratch:{"),
    "in another kind of comment": lambda text: re.sub(r"// (winscratch:\{.*)", r"/* \1 */", text),
    "in capitals": lambda text: text.replace("winscratch:{", "WINSCRATCH:{"),
    "beyond the first bytes": lambda text: "// mine\n" * 10_000 + text,
    "alone, beyond the first bytes": lambda text: "//\n" * 2000 + (re.findall(r"// winscratch:\{.*\n", text)[0]),
    "on a line with another": lambda text: text.replace("// winscratch:{", "// mine // winscratch:{"),
}


@pytest.mark.parametrize("how", LOST)
def test_a_copy_that_lost_its_line_is_edited_and_never_passed_over(how: str) -> None:
    write("go", "scratch", "p/x.go")
    path = Path("p/x.go")
    path.write_text(LOST[how](path.read_text("utf-8")), "utf-8")
    for options in each({}, {"update": True}, {"update": True, "force": True}):
        before = path.read_bytes()
        state = states(**options)["p/x.go"]
        if how.endswith("beyond the first bytes") and "force" in options:
            assert state == "fresh: updated"
        else:
            assert state.startswith("edited by hand")
            assert path.read_bytes() == before


@pytest.mark.parametrize("field", ["layer", "language", "file", "version", "digest"])
def test_what_a_strangers_line_holds_makes_no_line_long(field: str) -> None:
    write("python", "scratch", "x.py")
    reseal("x.py", **{field: "9" * 900_000})
    status, said = shown()
    assert (status, said[0].partition(": ")[0]) == (1, "newer version" if field == "version" else "edited by hand")
    assert max(map(len, said)) < 300


def test_what_merely_mentions_the_line_is_no_copy() -> None:
    Path("x.py").write_text('MARK = "winscratch:{"\nwinscratch:{\n"# Code generated by winscratch from layer x"\n')
    assert states(allow_none=True) == {}


@pytest.mark.parametrize(
    ("ending", "header"),
    [
        (".cc", ".hh"),
        (".cpp", ".hpp"),
        (".cxx", ".hxx"),
        (".c++", ".h++"),
        (".C", ".H"),
        (".CPP", ".HPP"),
        (".c", ".inc"),
    ],
)
def test_a_copy_of_c_by_a_name_of_cpp_is_checked(ending: str, header: str, older: Path) -> None:
    write("c", "scratch", "x.c", older)
    Path("x.c").rename(f"x{ending}")
    Path("x.h").rename(f"x{header}")
    found = dict.fromkeys(sorted((f"x{ending}", f"x{header}")), "outdated: template only changed")
    assert states() == found
    assert states(f"x{ending}") == found
    assert states(f"x{header}", update=True) == dict.fromkeys(found, "fresh: updated")


def test_half_a_copy_is_not_a_whole_one(place: Path) -> None:
    write("c", "scratch", "x.c")
    (place / "x.h").unlink()
    found = {"x.c": "fresh", "x.h": "missing: x.c needs it"}
    assert states() == states("x.c") == found
    assert shown()[1][-1] == "to fix: ./invokew vendored --update ."
    assert states(update=True) == {"x.c": "fresh", "x.h": "fresh: updated"}
    (place / "x.c").unlink()
    assert states("x.h", update=True) == {"x.c": "fresh: updated", "x.h": "fresh"}
    assert states() == {"x.c": "fresh", "x.h": "fresh"}


def test_halves_may_be_in_two_folders_and_links_may_stand_for_them(place: Path) -> None:
    write("c", "scratch", "src/x.c")
    (place / "include").mkdir()
    (place / "src/x.h").rename(place / "include/x.h")
    assert states() == {"include/x.h": "fresh", "src/x.c": "fresh"}
    assert states("src") == {"src/x.c": "fresh", "src/x.h": "missing: src/x.c needs it"}
    (place / "src/x.h").symlink_to("../include/x.h")
    assert states("src") == {"src/x.c": "fresh"}
    (place / "src/x.h").unlink()
    write("c", "legacy", "other/x.h")
    (place / "src/x.h").symlink_to("../other/x.h")
    assert states("src") == {"src/x.c": "unpaired: src/x.h is not its other half"}


def test_halves_of_two_copies_are_no_copy(older: Path) -> None:
    write("c", "scratch", "x.c")
    write("c", "legacy", "y/x.c", older, prefix="x")
    Path("y/x.h").replace("x.h")
    Path("y/x.c").unlink()
    found = {"x.c": "unpaired: x.h is not its other half", "x.h": "unpaired: x.c is not its other half"}
    before = Path("x.h").read_bytes()
    for options in each({}, {"update": True}, {"update": True, "force": True}):
        assert states(**options) == found
    assert Path("x.h").read_bytes() == before
    assert shown()[1][-1] == "to fix, overwriting the file: ./invokew vendor --force LANGUAGE LAYER FILE"


# The task, the module's command, pre-commit, and GitHub's runner


@pytest.mark.program
def test_the_task_takes_many_paths_that_may_be_named_as_tasks_are(older: Path) -> None:
    for number in range(30):
        write("python", "scratch", f"d{number}/")
    write("python", "scratch", "test/x.py", older)
    paths = [f"d{number}" for number in range(30)]
    status, shown, _ = run(*INVOKEW, "vendored", *paths)
    assert (status, shown.count("fresh: ")) == (0, 30)
    status, shown, _ = run(*INVOKEW, "vendored", "--json", "test", "d1")
    assert (status, [copy["state"] for copy in json.loads(shown)]) == (1, ["fresh", "outdated"])
    status, shown, _ = run(*INVOKEW, "vendored", "test", "--update")
    assert (status, shown) == (0, "fresh: test/x.py (python, scratch): updated\n")
    status, shown, _ = run(*INVOKEW, "vendored")
    assert (status, shown.count("fresh: ")) == (0, 31)
    assert run(*INVOKEW, "vendored", "d1", "gone") == (2, "", "error: gone: no such file or directory\n")


@pytest.mark.program
def test_hives_can_be_checked_many_at_once(place: Path) -> None:
    for name in ("a", "b"):
        (place / name).write_bytes(b"not a hive")
    status, shown, error = run(*INVOKEW, "check-hive", "a", "b")
    assert status == 1
    assert (shown + error).count("\n") >= 2
    assert run(*INVOKEW, "check-hive") == (2, "", "error: check-hive: FILE is missing\n")


@pytest.mark.program
def test_without_its_packages_the_check_is_one_line() -> None:
    write("python", "scratch", "x.py")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from generator.__main__ import main; sys.exit(main())"
    code = code.replace("main()", "main(['vendored', *sys.argv[1:]])")
    status, shown, said = run(sys.executable, "-I", "-S", "-c", code, "x.py")
    assert (status, shown) == (2, "")
    assert re.fullmatch(r"error: \w+: not installed; hint: .*\n", said)


MODULE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from generator.__main__ import main; sys.exit(main())"


@pytest.mark.parametrize("command", [[*INVOKEW, "vendored"], [sys.executable, "-c", MODULE, "vendored"]])
@pytest.mark.program
def test_a_reader_that_leaves_early_is_no_traceback(command: list[str]) -> None:
    write("python", "scratch", "x.py")
    reseal("x.py", version="99")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")
