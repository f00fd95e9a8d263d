# SPDX-License-Identifier: Apache-2.0
"""Sources and layouts whose files are exchanged while they are read: nothing from outside gets in."""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import image_runs, racing
from helpers.layer_runs import fill, make, names, tar_of

from generator.base import folders
from generator.base.errors import GeneratorError
from generator.base.files import folder_below
from generator.base.locking import open_lock
from generator.builder.wire import ROOT
from generator.image import sources
from generator.imageread.images import images

SECRET = b"from outside the source"
FILES = ["a/b/c/f", "a/b/f", "a/f", "f"]
NAMES = {"in", "a", "b", "c", "f", ".dockerignore"}
CHANGED = "changed while the image was made; hint: run again when nothing writes to it"
REAL = {"openat": True, "paths, as on Windows": False}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a source that has a twin beside it, called ``outside``, with the same names and other content."""
    fill(tmp_path / "in", FILES)
    for path in FILES:
        target = tmp_path / "outside" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(SECRET)
    return tmp_path / "in"


@pytest.fixture(params=REAL)
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (folders, sources):
        monkeypatch.setattr(module, "AT_FOLDER", REAL[request.param])


def attempt(top: Path, work: Path, found: list[str]) -> None:
    """Make a layer of *top* without anything from outside, or have it refused in a line that goes to *found*."""
    try:
        (blob,) = make(work, top, cache=False, compression="none")
    except GeneratorError as error:
        line = str(error)
        assert line.startswith(str(top))
        found.append(line)
    else:
        assert SECRET not in tar_of(blob)


def works(folder: Path) -> Iterator[Path]:
    """Yield paths of folders that are not there yet."""
    return (folder / f"out{number}" for number in itertools.count())


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("calls", [1, 3, racing.LASTING])
@pytest.mark.parametrize(("at", "by"), [*((at, "symlink") for at in ("", "a", "a/b", "a/b/c")), ("", "folder")])
def test_an_exchanged_directory_lets_nothing_from_outside_in(at: str, by: str, calls: int, top: Path) -> None:
    outside, place, kept = top.parent / "outside" / at, top / at, top.parent / "kept"

    def change() -> None:
        place.rename(kept)
        if by == "symlink":
            place.symlink_to(outside)
        else:
            outside.rename(place)

    def restore() -> None:
        if by == "symlink":
            place.unlink()
        else:
            place.rename(outside)
        kept.rename(place)

    lines: list[str] = []
    work = works(top.parent)
    assert racing.points(lambda: attempt(top, next(work), lines), change, restore, NAMES, calls) > 6
    assert lines
    assert {line.partition(": ")[2] for line in lines} == {CHANGED}


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("what", ["a symlink", "a pipe", "a folder"])
@pytest.mark.parametrize("at", ["f", "a/b/c/f"])
def test_an_exchanged_file_lets_nothing_from_outside_in(what: str, at: str, top: Path) -> None:
    place, kept = top / at, top.parent / "kept"

    def change() -> None:
        place.rename(kept)
        if what == "a symlink":
            place.symlink_to(top.parent / "outside/f")
        elif what == "a pipe":
            os.mkfifo(place)
        else:
            place.mkdir()

    def restore() -> None:
        if what == "a folder":
            place.rmdir()
        else:
            place.unlink()
        kept.rename(place)

    lines: list[str] = []
    work = works(top.parent)
    assert racing.points(lambda: attempt(top, next(work), lines), change, restore, NAMES) > 6
    assert any(line == f"{place}: {CHANGED}" for line in lines)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("calls", [1, racing.LASTING])
def test_an_exchanged_file_source_is_refused_or_unchanged(calls: int, top: Path) -> None:
    place, kept = top / "a", top.parent / "kept"

    def change() -> None:
        place.rename(kept)
        place.symlink_to(top.parent / "outside/a")

    def restore() -> None:
        place.unlink()
        kept.rename(place)

    lines: list[str] = []
    work = works(top.parent)
    assert racing.points(lambda: attempt(top / "a/f", next(work), lines), change, restore, NAMES, calls) > 0
    assert lines == [f"{top}/a/f: {CHANGED}"]


@pytest.mark.parametrize("at", ["a", "a/b", "f"])
def test_endless_exchanges_let_nothing_from_outside_in(at: str, top: Path) -> None:
    link = top.parent / "link"
    link.symlink_to(top.parent / "outside" / at)
    exchanges = racing.exchanges(top / at, link)
    next(exchanges)  # if the system has no such call, the test ends here
    end = threading.Event()

    def exchange() -> None:
        while not end.is_set():
            next(exchanges)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for number in range(100):
            attempt(top, top.parent / f"out{number}", [])
    finally:
        end.set()
        thread.join()


@pytest.mark.usefixtures("_each_way")
def test_reading_a_layout_that_is_exchanged(tmp_path: Path) -> None:
    layout, outside, kept = tmp_path / "layout", tmp_path / "outside", tmp_path / "kept"
    image_runs.made(image_runs.sources(tmp_path / "in"), f"oci:{layout}:1")
    (layout / "blobs").rename(outside)
    shutil.copytree(outside, layout / "blobs")
    numbers = {path.stat().st_ino for path in outside.rglob("*")}
    names = {"index.json", "oci-layout", "blobs", "sha256", *(path.name for path in outside.rglob("*"))}
    opened: set[int] = set()

    def change() -> None:
        (layout / "blobs").rename(kept)
        (layout / "blobs").symlink_to(outside)

    def restore() -> None:
        (layout / "blobs").unlink()
        kept.rename(layout / "blobs")

    def run() -> None:
        with contextlib.suppress(GeneratorError), images(f"oci:{layout}") as found:
            for layer in found[0].layers:
                with contextlib.suppress(OSError), layer.open() as blob:
                    opened.add(os.fstat(blob.fileno()).st_ino)

    assert racing.points(run, change, restore, names) > 5
    assert opened
    assert not opened & numbers


def test_writing_to_a_layout_that_is_exchanged(tmp_path: Path) -> None:
    layout, outside, kept = tmp_path / "layout", tmp_path / "outside", tmp_path / "kept"
    source = image_runs.sources(tmp_path / "in")
    outside.mkdir()
    image_runs.made(source, f"oci:{layout}:1")

    def change() -> None:
        (layout / "blobs/sha256").rename(kept)
        (layout / "blobs/sha256").symlink_to(outside)

    def restore() -> None:
        (layout / "blobs/sha256").unlink()
        kept.rename(layout / "blobs/sha256")

    def run() -> None:
        label = {"run": str(next(number))}
        with contextlib.suppress(GeneratorError):
            image_runs.made(source, f"oci:{layout}:1", label=label)
        assert not list(outside.iterdir())

    number = itertools.count()
    assert racing.points(run, change, restore, {"blob-0", "document-0", "blobs", "sha256", "index.json"}) > 3


# ---------------------------------------------------------------------------------------------
# Many folders and deep ones, which are not all open at a time


def test_many_sources_and_deep_directories_need_few_file_descriptors(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 200)
    many = [str(fill(tmp_path / f"in{number}", [f"{number}/x", "y/z"]).joinpath(str(number))) for number in range(150)]
    top = fill(tmp_path / "in", [f"{number}/x/f" for number in range(150)] + [f"{deep}/f", "d/d/f", f"{deep[:200]}/f"])
    (tmp_path / "out").mkdir()
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from generator.image.layers import make_layers\n"
        "from generator.image.model import LayerOptions, Source\n"
        "import generator.image.cache, generator.image.compress, generator.image.entries, deflate, json\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "given = [Source(Path(each), each) for each in sys.argv[2:]]\n"
        "found = make_layers(given, LayerOptions(one_layer=True), Path(sys.argv[1]),\n"
        "    note=print, environment={'WINSCRATCH_CACHE_MIB': '0'})\n"
        "print(*(blob.path for blob in found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out"), str(top), *many],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == f"{tmp_path}/out/layer-1\n"


@pytest.mark.parametrize(
    ("name", "levels", "made"), [("x" * 60, 100, True), ("x" * 250, 140, False), ("d", 1100, False)]
)
def test_directories_deeper_than_path_max(name: str, levels: int, made: bool, tmp_path: Path) -> None:
    top = fill(tmp_path / "in", ["x"])
    try:
        here = os.open(top, os.O_RDONLY)
        for _ in range(levels):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        if made:
            (blob,) = make(tmp_path / "out", top)
            assert len(names(blob)) == levels + 1
        else:
            with pytest.raises(GeneratorError, match="deeper than any path on Windows") as error:
                make(tmp_path / "out", top)
            assert len(str(error.value)) < 400
            make(tmp_path / "without", top, exclude=(name,))
    finally:  # which pytest could not
        subprocess.run(["rm", "-rf", str(top)], check=True, timeout=60)


def test_a_pipe_in_place_of_a_directory_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotADirectoryError):
        open_lock(tmp_path / "pipe")


def test_links_on_the_way_to_a_directory_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in/a").mkdir(parents=True)
    with folder_below(tmp_path / "in/a/b", tmp_path / "in") as folder:
        assert not folder.has("x")
        (tmp_path / "x").write_text("x")
        folder.take(tmp_path / "x", "x")
        assert folder.has("x")
        folder.remove("x")
        folder.remove("x")
    assert list((tmp_path / "in/a/b").iterdir()) == []
    (tmp_path / "in/c").symlink_to("a")
    with pytest.raises(OSError, match="link"), folder_below(tmp_path / "in/c/b", tmp_path / "in"):
        pass
