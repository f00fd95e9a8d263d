# SPDX-License-Identifier: Apache-2.0
"""The entries of a layer: order, paths, hard links, times, descriptors and exclusions."""

import base64
import os
import stat
import subprocess
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.importer import read_by_windows
from helpers.layer_runs import fill, make, members, names, tar_of
from helpers.support import lack, need

from generator.builder.wire import ROOT
from generator.oci.files import facts
from generator.security import descriptor, sddl

PATHS = ["a/b/c.txt", "a-b", "a.txt", "B/x", "größe/日本", "\uffee", "🦀", "empty/"]


def test_entries_are_sorted_by_the_bytes_of_their_paths(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", PATHS)
    (blob,) = make(tmp_path / "out", folder)
    found = names(blob)
    assert found == sorted(found, key=lambda path: path.encode("utf-8"))
    parents = ["a", "a/b", "B", "größe"]
    assert sorted(found) == sorted([path.rstrip("/") for path in PATHS] + parents)
    assert found.index("a-b") < found.index("a.txt") < found.index("a/b")


@pytest.mark.parametrize(
    ("dest", "wanted"),
    [
        ("", ["x"]),
        ("C:\\", ["x"]),
        ("/", ["x"]),
        ("C:\\app", ["app", "app/x"]),
        ("c:/app/", ["app", "app/x"]),
        ("\\app\\.\\deep", ["app", "app/deep", "app/deep/x"]),
        ("app", ["app", "app/x"]),
    ],
)
def test_dest_is_the_path_of_a_directorys_content(tmp_path: Path, dest: str, wanted: list[str]) -> None:
    (blob,) = make(tmp_path / "out", (fill(tmp_path / "in", ["x"]), dest))
    assert names(blob) == wanted


@pytest.mark.parametrize(
    ("dest", "wanted"),
    [
        ("", ["hello.exe"]),
        ("C:\\", ["hello.exe"]),
        ("/renamed.exe", ["renamed.exe"]),
        ("C:\\app\\", ["app", "app/hello.exe"]),
        ("app/x.exe", ["app", "app/x.exe"]),
    ],
)
def test_dest_is_the_path_of_a_file_or_its_directory(tmp_path: Path, dest: str, wanted: list[str]) -> None:
    (blob,) = make(tmp_path / "out", (fill(tmp_path, ["hello.exe"]) / "hello.exe", dest))
    assert names(blob) == wanted


def test_a_source_that_is_a_link_is_followed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x"])
    (tmp_path / "folder").symlink_to(folder)
    (tmp_path / "file").symlink_to("in/x")
    one, two = make(tmp_path / "out", tmp_path / "folder", tmp_path / "file")
    assert (names(one), names(two)) == (["x"], ["file"])
    assert b"x" + bytes(511) in tar_of(two)


def test_each_source_is_a_layer_or_all_are_one(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", ["bin/a", "bin/z"]), fill(tmp_path / "two", ["bin/m", "b-c"])
    assert [names(blob) for blob in make(tmp_path / "each", one, two)] == [
        ["bin", "bin/a", "bin/z"],
        ["b-c", "bin", "bin/m"],
    ]
    (all_in_one,) = make(tmp_path / "all", one, two, one_layer=True)
    assert names(all_in_one) == ["b-c", "bin", "bin/a", "bin/m", "bin/z"]
    assert make(tmp_path / "none", one_layer=True) == make(tmp_path / "none2") == []


def test_modes_owners_and_times_of_the_source_have_no_effect(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "one", PATHS), fill(tmp_path / "two", PATHS[::-1])
    for path in second.rglob("*"):
        path.chmod(0o700)
        os.utime(path, ns=(1, 1_600_000_000_123_456_789))
        if os.geteuid() == 0:
            os.chown(path, 1234, 1234)
    (one,), (two,) = make(tmp_path / "a", first, time=1_700_000_000), make(tmp_path / "b", second, time=1_700_000_000)
    assert one.digest == two.digest
    assert {member.mtime for member in members(one)} == {1_700_000_000}


def test_times_keep_keeps_times(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["app/x"])
    for path, time in ((folder / "app/x", 1_600_000_000_123_456_700), (folder / "app", 1_500_000_000 * 10**9)):
        os.utime(path, ns=(time, time))
    (blob,) = make(tmp_path / "out", folder, times="keep")
    records = {member.name: member.pax_headers for member in members(blob)}
    assert records["Files/app/x"]["mtime"] == records["Files/app/x"]["ctime"] == "1600000000.1234567"
    assert records["Files/app"]["atime"] == "1500000000"
    assert records["Files"]["atime"] == "0"


def test_names_of_one_file_become_hard_links(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["b/first", "z"])
    for path in ("b/second", "cc", "a-in-front"):
        os.link(folder / "b/first", folder / path)
    (blob,) = make(tmp_path / "out", folder)
    found = {member.name: (member.islnk(), member.linkname) for member in members(blob) if not member.isdir()}
    assert found == {
        "Files/a-in-front": (False, ""),
        "Files/b/first": (True, "Files/a-in-front"),
        "Files/b/second": (True, "Files/a-in-front"),
        "Files/cc": (True, "Files/a-in-front"),
        "Files/z": (False, ""),
    }


def test_a_further_name_of_one_utf16_unit_is_written_as_a_file(tmp_path: Path) -> None:
    """NT refuses the hard link that hcsshim asks for: it sends 22 bytes for such a name, and NT wants 24."""
    folder = fill(tmp_path / "in", ["aa"])
    for name in ("b", "ä", "cc", "🦀"):
        os.link(folder / "aa", folder / name)
    (blob,) = make(tmp_path / "out", folder)
    found = {member.name.removeprefix("Files/"): member for member in members(blob) if not member.isdir()}
    assert {name for name, member in found.items() if member.islnk()} == {"cc", "🦀"}
    assert found["b"].size == found["ä"].size == 2


def test_a_further_name_in_the_directory_of_hives_is_written_as_a_file(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["aa", "windows/System32/CONFIG/"])
    os.link(folder / "aa", folder / "windows/System32/CONFIG/System")
    (blob,) = make(tmp_path / "out", folder)
    assert not [member.name for member in members(blob) if member.islnk()]


def test_a_file_with_more_than_1024_names_is_written_twice(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["0000"])
    most = facts().limits.names
    for number in range(1, most + 6):
        os.link(folder / "0000", folder / f"{number:04}")
    (blob,) = make(tmp_path / "out", folder)
    assert sum(member.isreg() and not member.islnk() for member in members(blob)) == 2
    assert sum(member.islnk() for member in members(blob)) == most + 4


@pytest.mark.parametrize("text", ["user-owned", "O:BAG:SYD:PAI(A;OICI;FA;;;BA)", "none", "users-read"])
def test_security_sets_the_descriptor_of_every_entry(tmp_path: Path, text: str) -> None:
    (blob,) = make(tmp_path / "out", fill(tmp_path / "in", ["app/x"]), security=text)
    records = {member.name: member.pax_headers.get("MSWINDOWS.rawsd", "") for member in members(blob)}
    known = facts().compiled().get(text)
    directory, file = known or [descriptor.to_bytes(sddl.from_text(text))] * 2
    assert base64.b64decode(records["Files/app"]) == directory
    assert base64.b64decode(records["Files/app/x"]) == file
    assert records["Files"] == records["Hives"] == ""


def test_excluded_files_are_left_out_and_exceptions_have_their_parents(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["keep", "x.log", "out/a", "out/deep/kept", "out/deep/not", "gone/x"])
    (blob,) = make(tmp_path / "one", folder, exclude=("*.log", "gone", "out", "!out/deep/kept"))
    assert names(blob) == ["keep", "out", "out/deep", "out/deep/kept"]


def test_a_dockerignore_in_the_source_is_applied_and_noted(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["keep", "x.log", "deep/y.log"])
    (folder / ".dockerignore").write_text("*.log\n.dockerignore\n")
    said: list[str] = []
    (blob,) = make(tmp_path / "out", folder, said=said)
    assert names(blob) == ["deep", "deep/y.log", "keep"]
    assert said == [f"{folder}/.dockerignore: its patterns leave files out"]
    (blob,) = make(tmp_path / "again", folder, exclude=("deep", "!x.log"))
    assert names(blob) == ["keep", "x.log"]


def test_a_dockerignore_beside_or_below_the_source_has_no_effect(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["keep", "x.log", "deep/y.log", "deep/.dockerignore"])
    for beside in (tmp_path / ".dockerignore", folder / "deep/.dockerignore"):
        beside.write_text("in\nin/*\n*.log\n**\n")
    (tmp_path / "way").symlink_to(folder)
    said: list[str] = []
    for number, source in enumerate((folder, tmp_path / "way")):
        (blob,) = make(tmp_path / f"out{number}", source, said=said)
        assert names(blob) == ["deep", "deep/.dockerignore", "deep/y.log", "keep", "x.log"]
    (blob,) = make(tmp_path / "file", folder / "deep/y.log", said=said)
    assert names(blob) == ["y.log"]
    assert said == []


def test_attributes_without_a_windows_form_are_noted_in_one_line(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["a", "b", "c"])
    for name in ("a", "b"):
        (folder / name).chmod(0o755 | stat.S_ISUID)
    lost = f"setuid, setgid or sticky bits of {folder}/a and 1 other"
    try:
        os.setxattr(folder / "c", "user.mine", b"1")
        lost += f"; extended attributes of {folder}/c"
    except OSError:  # no file system for that
        pass
    for run in ("first", "second"):
        said: list[str] = []
        make(tmp_path / run, folder, said=said)
        assert said == [f"left out, since Windows has no such attributes: {lost}"]


@pytest.mark.parametrize("program", ["bsdtar", "tar", "7zz"])
def test_unpacking_a_layer_restores_the_source(program: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [*PATHS, "/".join(["long" * 20] * 5).lstrip("/")])
    (folder / "link").symlink_to("a.txt")
    os.link(folder / "a.txt", folder / "second name")
    (folder / "big").write_bytes(os.urandom(3 << 20))
    (blob,) = make(tmp_path / "out", folder)
    tar, to = tmp_path / "layer.tar", tmp_path / "to"
    to.mkdir()
    tar.write_bytes(tar_of(blob))
    commands = {
        "bsdtar": ("-xf", str(tar), "-C", str(to)),
        "tar": ("--warning=no-unknown-keyword", "-xf", str(tar), "-C", str(to)),
        "7zz": ("x", "-snh", "-snl", "-bso0", "-bsp0", f"-o{to}", str(tar)),
    }
    done = subprocess.run(
        [need(program), *commands[program]],
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert not any((to / "Hives").iterdir())
    compared = ["diff", "-r", "--no-dereference", str(folder), str(to / "Files")]
    assert subprocess.run(compared, capture_output=True, check=False).stdout == b""
    assert (to / "Files/second name").samefile(to / "Files/a.txt")


@thorough("builds go-winio")
def test_go_winio_reads_the_entries_of_a_layer(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["app/hello.exe", "größe/日本", "long/" + "n" * 150])
    (folder / "link").symlink_to("app/hello.exe")
    (folder / "linked").symlink_to("C:\\app")
    (folder / "big").write_bytes(os.urandom(2 << 20))
    os.link(folder / "app/hello.exe", folder / "app/same.exe")
    (blob,) = make(tmp_path / "out", folder, time=1_700_000_000)
    found = {entry["name"]: entry for entry in read_by_windows(tar_of(blob), tmp_path)}
    assert list(found) == ["Hives", "Files", *(f"Files/{name}" for name in names(blob))]
    directory, file = (base64.b64encode(data).decode() for data in facts().compiled()["users-read"])
    assert found.pop("Hives")["descriptor"] == found.pop("Files")["descriptor"] == ""
    hard = found.pop("Files/app/same.exe")
    assert hard["hardLink"] == "Files/app/hello.exe"
    for name, entry in found.items():
        path = folder / name.removeprefix("Files/")
        kind = 0x410 if path.name == "linked" else 0x420 if path.is_symlink() else 16 if path.is_dir() else 32
        assert entry["attributes"] == kind
        assert entry["times"] == [1_700_000_000 * 10**9] * 4
        assert entry["descriptor"] == (directory if kind & 16 else file)
        assert base64.b64decode(entry["data"]) == (path.read_bytes() if kind == 32 else b"")
    assert (found["Files/link"]["target"], found["Files/link"]["relative"]) == ("app\\hello.exe", True)
    assert (found["Files/linked"]["target"], found["Files/linked"]["relative"]) == ("C:\\app", False)


@thorough("builds BuildKit from source")
def test_buildkit_unpacks_a_layer_to_the_source(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        lack("only root may give files to root, as BuildKit does")
    folder = fill(tmp_path / "in", PATHS)
    (folder / "link").symlink_to("a.txt")
    os.link(folder / "a.txt", folder / "second name")
    (blob,) = make(tmp_path / "out", folder)
    program, tar, to = tmp_path / "buildkit", tmp_path / "layer.tar", tmp_path / "to"
    subprocess.run([need("go"), "build", "-o", program, "."], cwd=ROOT / "tests/interop/buildkit", check=True)
    to.mkdir()
    tar.write_bytes(tar_of(blob))
    done = subprocess.run([program, tar, to], capture_output=True, text=True, check=True)
    assert done.stdout == f"{blob.diff_id}\n"
    (root,) = to.iterdir()
    compared = ["diff", "-r", "--no-dereference", str(folder), str(root)]
    assert subprocess.run(compared, capture_output=True, check=False).stdout == b""
    assert (root / "second name").samefile(root / "a.txt")
