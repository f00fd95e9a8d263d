# SPDX-License-Identifier: Apache-2.0
"""Symlinks get the kind that Windows needs, which depends on the image alone."""

import shutil
import tarfile
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.image_checks import checked
from helpers.layer_runs import fill, make

from generator.base.errors import GeneratorError

FILE, DIRECTORY = "1056", "1040"  # attributes: a reparse point, with the bit of an archive or of a directory
DIRECTORIES = (
    "dir", "DIR", "./dir", ".\\dir", "dir/", "dir/.", "dir\\", "dir/sub/..", "gone/../dir", "/dir", "\\dir", "/DIR/sub",
    "C:\\dir", "c:/dir", "C:/dir/../dir/sub", "\\\\?\\C:\\dir", "//?/c:/dir", "größe", "GRÖßE", "/", "C:\\", ".",
    "to-dir", "TO-DIR/sub", "to-link", "dir/up", "dir/up/dir", "C:\\other", "/Other/MORE", "C:\\Windows",
    "windows/SYSTEM32",
)  # fmt: skip
FILES = (
    "file", "FILE", "./file", "dir/../file", "/file", "\\FILE", "C:\\file", "to-file", "to-dir/file", "/other/more/x",
    "C:/Windows/System32/config/SAM", "\\\\?\\c:\\file",
)  # fmt: skip
UNKNOWN = (
    "nothing", "file/x", "dir.", "../dir", "/../dir", "dir/../../dir", "D:\\dir", "d:/dir", "//server/dir",
    "\\\\server\\dir", "\\\\.\\C:\\dir", "\\\\?\\Volume{1}\\dir", "/usr", "/tmp", "to-nothing", "loop", "to-self",
    "/C:/dir",
)  # fmt: skip


def source(top: Path, targets: tuple[str, ...]) -> Path:
    """Make a folder with targets of each kind, and with a link to each of *targets*, named by their index."""
    fill(top, ["dir/sub/", "dir/file", "file", "größe/"])
    known = {"to-dir": "dir", "to-link": "to-dir", "to-file": "file", "to-nothing": "nothing", "dir/up": "..\\dir\\.."}
    known |= {"loop": "looped", "looped": "loop", "to-self": "to-self"}
    for name, target in {**known, **{f"link-{number}": target for number, target in enumerate(targets)}}.items():
        (top / name).symlink_to(target)
    return top


def attributes(blob: Path) -> dict[str, str]:
    """Return the attributes of the symlinks in a layer, by path below C:."""
    with tarfile.open(blob) as tar:
        found = {member.name: member.pax_headers for member in tar.getmembers() if member.issym()}
    return {name.removeprefix("Files/"): records["MSWINDOWS.fileattr"] for name, records in found.items()}


@pytest.mark.parametrize(
    ("targets", "kind"), [(DIRECTORIES, DIRECTORY), (FILES, FILE), (UNKNOWN, FILE)], ids=["dirs", "files", "unknown"]
)
def test_links_have_the_kind_of_their_target_however_it_is_spelled(
    targets: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    top, other, out = source(tmp_path / "in", targets), fill(tmp_path / "other", ["more/x"]), tmp_path / "out"
    image_runs.made(tmp_path, f"oci:{out}", source=(str(top), f"{other}:/other"))
    (image,) = image_runs.named(out).values()
    layers = image_runs.document(out, image["digest"])["layers"]
    found = attributes(out / "blobs" / layers[1]["digest"].replace(":", "/"))
    assert {target: found[f"link-{number}"] for number, target in enumerate(targets)} == dict.fromkeys(targets, kind)
    status, report = checked(f"oci:{out}")
    assert (status, report[0]["findings"]) == (0, [])


@pytest.mark.parametrize("target", ["{host}", "../host", "{host}/sub", "..\\host"])
def test_links_out_of_the_source_do_not_depend_on_the_building_machine(target: str, tmp_path: Path) -> None:
    top = fill(tmp_path / "in", ["x"])
    (top / "link").symlink_to(target.format(host=tmp_path / "host"))
    digests = set()
    for state in ("absent", "a folder", "a file"):
        if state == "a folder":
            (tmp_path / "host/sub").mkdir(parents=True)
        elif state == "a file":
            shutil.rmtree(tmp_path / "host")
            (tmp_path / "host").write_bytes(b"")
        said: list[str] = []
        (blob,) = make(tmp_path / state, top, said=said)
        digests.add(blob.digest)
        assert attributes(blob.path) == {"link": FILE}
        assert [line.partition(": ")[0] for line in said] == [str(top / "link")]
    assert len(digests) == 1


def test_links_find_their_target_in_a_later_layer_and_below_dest(tmp_path: Path) -> None:
    top, later = fill(tmp_path / "in", ["x"]), fill(tmp_path / "later", ["sub/x"])
    (top / "link").symlink_to("..\\data\\SUB")
    one, _ = make(tmp_path / "out", (top, "C:\\app"), (later, "C:\\Data"))
    assert attributes(one.path) == {"app/link": DIRECTORY}
    (one,) = make(tmp_path / "alone", (top, "C:\\app"))
    assert attributes(one.path) == {"app/link": FILE}


def test_all_links_without_a_target_are_noted_in_one_line(tmp_path: Path) -> None:
    top = fill(tmp_path / "in", ["x"])
    for name in ("a", "b", "c"):
        (top / name).symlink_to(f"C:\\{name}-target")
    said: list[str] = []
    make(tmp_path / "out", top, said=said)
    assert said == [
        rf"{top}/a: 'C:\a-target' is not in the image, so the link becomes one to a file, and 2 more links"
        "; hint: --link PATH=directory if it leads to a directory"
    ]


def test_a_link_to_what_differs_between_layers_is_refused(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", ["it/x"]), fill(tmp_path / "two", ["it"])
    (two / "link").symlink_to("IT\\x")
    with pytest.raises(GeneratorError, match="link: C:/IT, on the way to the link's target, is not the same in all"):
        make(tmp_path / "out", one, two)
    make(tmp_path / "good", one, (two, "C:\\two"))


def test_a_relative_link_through_files_is_refused_unless_it_is_there(tmp_path: Path) -> None:
    top = fill(tmp_path / "in", ["x"])
    (top / "link").symlink_to("Files/x")
    with pytest.raises(
        GeneratorError, match="link: the link's target 'Files/x' is not in the image; hint: begin the target with"
    ):
        make(tmp_path / "out", top)
    make(tmp_path / "good", fill(top, ["Files/x"]))
