# SPDX-License-Identifier: Apache-2.0
"""Updating copies: those that are made anew, and those that are left alone."""

import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from helpers.support import extract, need
from helpers.vendoring import each, reseal, shown, states, write

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.languages.table import LANGUAGES

pytestmark = pytest.mark.usefixtures("place")


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_update_makes_a_copy_of_any_language_what_it_would_be_made_now(language: str, older: Path) -> None:
    write(language, "scratch", "a/same/", older)
    write(language, "scratch", "b/same/")
    copies = sorted(Path("a/same").iterdir())
    assert {state.partition(":")[0] for state in states("a").values()} == {"outdated"}
    assert set(states("a", update=True).values()) == {"fresh: updated"}
    assert [path.read_text("utf-8") for path in copies] == [
        Path("b/same", path.name).read_text("utf-8") for path in copies
    ]


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


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        ('"layer":"scratch"', '"layer":"tiny"', "unknown layer tiny"),
        ('"language":"go"', '"language":"cobol"', "unknown language cobol"),
        ('"file":"module.go.jinja"', '"file":"x.jinja"', "unknown template x.jinja of go"),
        ('"version":"0.2.0"', '"version":"99.0"', "made by 99.0, this is 0.2.0"),
    ],
)
def test_an_edit_that_force_cannot_undo_says_why_and_what_can(old: str, new: str, detail: str) -> None:
    write("go", "scratch", "x.go", package="p")
    text = Path("x.go").read_text("utf-8")
    assert old in text
    Path("x.go").write_text(text.replace(old, new) + "// mine\n", "utf-8")
    assert states(update=True, force=True) == {"x.go": f"edited by hand: {detail}"}
    fixes = [line for line in shown()[1] if line.startswith("to fix")]
    assert fixes == ["to fix, overwriting the file: ./invokew vendor --force LANGUAGE LAYER FILE"]
    write("go", "scratch", "x.go", package="p", force=True)
    assert states() == {"x.go": "fresh"}


@pytest.mark.parametrize("force", [False, True])
def test_names_in_a_strangers_copy_are_not_forced_either(force: bool) -> None:
    write("go", "scratch", "x.go", package="p")
    reseal("x.go", options={"package": 'p;import _ "os"', "prefix": "", "compat": ""})
    before = Path("x.go").read_bytes()
    (state,) = states(update=True, force=force).values()
    assert state.startswith("edited by hand: its winscratch line has an invalid name: ")
    assert Path("x.go").read_bytes() == before


def test_update_makes_a_c_pair_anew_together_or_not_at_all(older: Path) -> None:
    write("c", "scratch", "x.c", older)
    assert states("x.c", update=True) == {"x.c": "fresh: updated", "x.h": "fresh: updated"}
    write("c", "scratch", "y.c", older)
    Path("y.h").write_text(Path("y.h").read_text() + "// mine\n")
    before = Path("y.c").read_bytes()
    assert states("y.c", update=True) == {
        "y.c": "outdated: template only changed; not updated, since y.h is in state: edited by hand",
        "y.h": "edited by hand",
    }
    assert Path("y.c").read_bytes() == before
    Path("y.h").write_text("// another's\n")
    assert states("y.c", update=True) == {"y.c": "unpaired: y.h is not its other half"}
    assert Path("y.c").read_bytes() == before


def test_dry_run_and_diff_say_what_update_would_do_and_write_nothing(older: Path) -> None:
    write("go", "scratch", "a.go", older, package="p")
    write("go", "scratch", "b.go", older, package="p")
    write("c", "scratch", "c.c", older)
    Path("b.go").write_text(Path("b.go").read_text("utf-8") + "// mine\n")
    Path("c.h").unlink()
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    would = "outdated: template only changed; would be updated"
    found = {
        "a.go": would,
        "b.go": "edited by hand",
        "c.c": would,
        "c.h": "missing: c.c needs it; would be updated",
    }
    for options in each({"dry_run": True}, {"dry_run": True, "update": True}):
        assert states(**options) == found
    assert states(dry_run=True, force=True) == found | {"b.go": "edited by hand: would be updated"}
    status, said = shown(diff=True, update=True)
    assert status == 1
    assert [line for line in said if line.startswith("--- ")] == ["--- a.go", "--- c.c", "--- /dev/null"]
    assert "+#ifndef C_H" in said
    notes: list[str] = []
    assert "-// mine" in shown(diff=True, force=True, note=notes.append)[1]
    assert notes == []
    shown(diff=True, note=notes.append)
    assert notes == ["--diff leaves out edited copies; --diff --force shows how --force would replace them"]
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    with pytest.raises(GeneratorError, match=r"^--diff: is not shown as JSON; hint: leave out --json$"):
        states(diff=True)
    Path("a.patch").write_text("\n".join(said[: said.index("--- c.c")]) + "\n", "utf-8")
    subprocess.run([need("patch"), "-s", "-p0", "-i", "a.patch"], check=True)
    assert states("a.go") == {"a.go": "fresh"}


def test_names_in_a_strangers_copy_are_not_trusted(older: Path) -> None:
    write("go", "scratch", "x.go", older, package="p")
    reseal("x.go", options={"package": 'p;import _ "os"', "prefix": "", "compat": ""})
    before = Path("x.go").read_bytes()
    (state,) = states(update=True).values()
    assert re.fullmatch(r"edited by hand: its winscratch line has an invalid name: .* use --package", state)
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


def test_update_makes_copies_of_version_0_1_anew() -> None:
    """copies-0.1.tar.gz holds a layer's modules in every language, and writers, as version 0.1.0 made them."""
    with tarfile.open(Path(__file__).with_name("copies-0.1.tar.gz")) as archive:
        extract(archive, Path())
    copies = {str(path): path for path in sorted(Path().rglob("*.*")) if path.is_file()}
    assert len(copies) == 12
    assert {path.partition("/")[0] for path in copies} == set(LANGUAGES)
    assert {path: "0.1.0" in copy.read_text("utf-8") for path, copy in copies.items()} == dict.fromkeys(copies, True)
    assert states() == dict.fromkeys(copies, "outdated: template only changed")
    assert states(update=True) == dict.fromkeys(copies, "fresh: updated")
    assert states() == dict.fromkeys(copies, "fresh")
    for path, copy in copies.items():
        assert copy.read_bytes() == (ROOT / "output" / path).read_bytes()
