# SPDX-License-Identifier: Apache-2.0
"""Options of one source: descriptor, attributes and time, in a table or behind @."""

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.layer_runs import fill, make, members, tar_of

from generator.base.errors import GeneratorError
from generator.image import Options, SourceTable
from generator.image import make as make_image
from generator.image.entries import security
from generator.image.model import EntryOptions, Source
from generator.image.options import read
from generator.image.source_name import parse_source
from generator.imageread.references import Platform
from generator.oci.files import facts

TIME = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)
SECONDS = 1_709_209_800  # from 1970, by `date -d 2024-02-29T12:30Z +%s`
Seen = dict[str, tuple[str, bytes, float]]  # by path: attributes, descriptor, time


def seen(work: Path, *sources: Source, **options: Any) -> list[Seen]:
    """Return what Windows sees of each entry of each layer of *sources*."""
    blobs = make(work, *sources, **options)
    return [
        {
            one.name.removeprefix("Files/"): (
                one.pax_headers.get("MSWINDOWS.fileattr", ""),
                base64.b64decode(one.pax_headers.get("MSWINDOWS.rawsd", "")),
                float(one.pax_headers["ctime"]),
            )
            for one in members(blob)[2:]
        }
        for blob in blobs
    ]


def named(text: str) -> tuple[bytes, bytes]:
    return facts().compiled()[text]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = fill(tmp_path / "in", ["x/f", "x/d/g"])
    (top / "x/link").symlink_to("f")
    (top / "x/to-d").symlink_to("d")
    return top


def test_a_source_has_its_own_options_and_folders_above_have_the_images(folder: Path, tmp_path: Path) -> None:
    own = EntryOptions("O:BAG:BA", facts().attributes.settable["hidden"], SECONDS * 10**9)
    (found,) = seen(tmp_path / "out", Source(folder / "x", r"C:\top\app\x", own))
    default = ("16", named("users-read")[0], 0)
    mine = security("O:BAG:BA")
    assert found == {
        "top": default,
        "top/app": default,
        "top/app/x": ("18", mine, SECONDS),
        "top/app/x/d": ("18", mine, SECONDS),
        "top/app/x/d/g": ("2", mine, SECONDS),
        "top/app/x/f": ("2", mine, SECONDS),
        "top/app/x/link": ("1026", mine, SECONDS),
        "top/app/x/to-d": ("1042", mine, SECONDS),
    }


def test_options_of_one_source_change_no_other_layer(folder: Path, tmp_path: Path) -> None:
    own = EntryOptions("admin-owned", facts().attributes.settable["read_only"], SECONDS * 10**9)
    plain, other = Source(folder / "x", "/a"), Source(folder / "x/f", "/b/f")
    alone = make(tmp_path / "alone", plain, other)
    both = make(tmp_path / "both", plain, other._replace(own=own))
    assert alone[0].diff_id == both[0].diff_id
    assert alone[1].diff_id != both[1].diff_id
    again = make(tmp_path / "again", plain, other._replace(own=EntryOptions()))
    assert [each.digest for each in again] == [each.digest for each in alone]


@pytest.mark.parametrize(("times", "own"), [("fixed", "keep"), ("keep", "fixed"), ("keep", None), ("fixed", None)])
def test_a_source_keeps_its_times_or_not(times: str, own: Any, folder: Path, tmp_path: Path) -> None:
    source = Source(folder / "x/f", "/f", EntryOptions(time=own))
    ((_, _, time),) = seen(tmp_path / "out", source, times=times)[0].values()
    kept = (folder / "x/f").stat().st_mtime
    assert abs(time - kept) < 1 if (own or times) == "keep" else time == 0


def test_a_folder_keeps_its_options_in_later_layers_that_hold_it_as_a_parent(folder: Path, tmp_path: Path) -> None:
    own = EntryOptions("admin-owned")
    first, second = seen(tmp_path / "out", Source(folder / "x", "/app", own), Source(folder / "x/f", "/app/d/f"))
    assert second["app"] == first["app"]
    assert second["app/d"] == first["app/d"]
    assert first["app"][1] == named("admin-owned")[0] != second["app/d/f"][1] == named("users-read")[1]


def test_a_folder_of_two_sources_with_different_options_is_refused(folder: Path, tmp_path: Path) -> None:
    one, other = Source(folder / "x", "/app", EntryOptions("none")), Source(folder, "/app")
    with pytest.raises(GeneratorError, match=r"C:/app: a directory of .* which have different options; hint: leave"):
        make(tmp_path / "out", one, other, one_layer=True)
    assert len(make(tmp_path / "same", one, Source(folder, "/app", one.own), one_layer=True)) == 1
    assert len(make(tmp_path / "two", one, other)) == 2


def test_a_hard_link_is_not_made_between_sources_with_different_options(folder: Path, tmp_path: Path) -> None:
    """Two names of a file share its descriptor."""
    (folder / "y").hardlink_to(folder / "x/f")
    own = EntryOptions("admin-owned")
    found = [Source(folder / "x/f", "/aa"), Source(folder / "y", "/bb", own), Source(folder / "y", "/cc", own)]
    (blob,) = make(tmp_path / "out", *found, one_layer=True)
    assert [(one.name, one.islnk()) for one in members(blob)[2:]] == [
        ("Files/aa", False),
        ("Files/bb", False),
        ("Files/cc", True),
    ]


def test_a_change_of_options_is_noticed_although_the_files_are_cached(folder: Path, tmp_path: Path) -> None:
    digests = set()
    for number, own in enumerate(
        (EntryOptions(), EntryOptions("none"), EntryOptions("", 1), EntryOptions("", 0, 1000))
    ):
        for again in "ab":
            (blob,) = make(tmp_path / f"out{number}{again}", Source(folder, "", own))
            digests.add((number, blob.digest))
    assert len(digests) == len({digest for _, digest in digests}) == 4


@pytest.mark.parametrize(
    ("text", "path", "dest", "own", "platform"),
    [
        ("x@security=none", "x", "", EntryOptions("none"), None),
        (r"x:C:\a@security=O:BAG:BA", "x", r"C:\a", EntryOptions("O:BAG:BA"), None),
        ("x:/a@attributes=hidden,system", "x", "/a", EntryOptions("", 6), None),
        ("x@attributes=normal", "x", "", EntryOptions("", 128), None),
        ("x@time=2024-02-29T12:30:00Z", "x", "", EntryOptions("", 0, SECONDS * 10**9), None),
        ("x@time=2024-02-29T14:30:00.000001+02:00", "x", "", EntryOptions("", 0, SECONDS * 10**9 + 1000), None),
        ("x@times=keep", "x", "", EntryOptions("", 0, "keep"), None),
        ("x@windows/arm64@times=fixed", "x", "", EntryOptions("", 0, "fixed"), Platform("arm64")),
        ("x:/a@security=none@windows/arm64", "x", "/a", EntryOptions("none"), Platform("arm64")),
        ("x@y@mode=7", "x@y@mode=7", "", EntryOptions(), None),
        ("x@time=1:/a", "x@time=1", "/a", EntryOptions(), None),
    ],
)
def test_options_of_a_source_behind_its_name(
    text: str, path: str, dest: str, own: EntryOptions, platform: Platform | None
) -> None:
    assert parse_source(text, windows=False) == (Source(Path(path), dest, own), platform)


def test_a_table_of_a_file_of_options_has_them_too(tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_text(
        '[[source]]\npath = "x"\nsecurity = "none"\nattributes = ["hidden", "read-only"]\ntime = 2024-02-29T12:30:00Z\n'
    )
    (table,) = read(path).source
    assert table == SourceTable(path="x", security="none", attributes=("hidden", "read-only"), time=TIME)
    assert isinstance(table, SourceTable)
    assert parse_source(table) == (Source(Path("x"), "", EntryOptions("none", 3, SECONDS * 10**9)), None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x@security=all", "source x: security all: neither users-read"),
        ("x@security=O:XX", "source x: security O:XX: neither .* nor SDDL, at character 3: "),
        ("x@security=none@security=none", "source x.*: security is given twice; hint: leave one out"),
        ("x@windows/arm64@windows/amd64", "source x.*: platform is given twice"),
        ("x@attributes=", "attributes= has no value; hint: leave it out"),
        ("x@attributes=hidden,big", "source x: attributes: Invalid enum value 'big'; hint: archive, hidden, "),
        ("x@attributes=hidden,normal", "source x: attributes: normal means no others; hint: leave out normal"),
        ("x@times=never", "source x: times: .*; hint: fixed or keep"),
        ("x@time=2024-02-29", "source x: time: .*; hint: 2024-01-31T12:00:00Z"),
        ("x@time=2024-02-29T12:30:00", "source x: time: .*timezone.*; hint: 2024-01-31T12:00:00Z"),
        ("x@time=2300-01-01T00:00:00Z", "source x: time: 2300 is outside 1677 to 2262, which layers can hold"),
        ("x@time=2024-02-29T12:30:00Z@times=keep", "source x: both times and time; hint: leave one out"),
    ],
)
def test_invalid_options_of_a_source_are_refused_in_one_line(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(GeneratorError, match=why) as error:
        make_image(Options(source=(text,), to=(f"oci:{tmp_path}/out",)))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_command_takes_options_of_a_source(tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(b"MZ")
    words = (r"hello.exe:C:\a\b.exe@security=admin-owned@attributes=read-only@time=2024-02-29T12:30:00Z", "--layer")
    done = image_runs.command(*words, "scratch", "--to", "oci:out:1", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    table = SourceTable(
        path=tmp_path / "hello.exe", to="/a/b.exe", security="admin-owned", attributes=("read-only",), time=TIME
    )
    made = make_image(Options(source=(table,), layer="scratch", to=(f"oci:{tmp_path}/other:1",)))
    assert image_runs.digest_of(done.stdout.strip()) == made.digest
    assert image_runs.command("oci:out:1", name="check-image", folder=tmp_path).returncode == 0


def test_the_tar_differs_only_where_options_do(folder: Path, tmp_path: Path) -> None:
    """An option with the image's value is the same as none."""
    own = EntryOptions("users-read", 0, 0)
    one, other = (
        make(tmp_path / name, Source(folder, "", each))[0] for name, each in (("a", EntryOptions()), ("b", own))
    )
    assert tar_of(one) == tar_of(other)
