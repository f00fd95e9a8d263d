# SPDX-License-Identifier: Apache-2.0
"""Several processes search a large source and find what one finds."""

import os
import sys
from pathlib import Path

import pytest
from helpers.alone import result
from helpers.layer_runs import fill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are made on Linux alone")

# found() returns the content of the folder named by the first argument; several search from *many* entries on.
SEARCH = """
from pathlib import Path
from generator.base.errors import GeneratorError
from generator.base.folders import Folders
from generator.image import sources

def found(many, *exclude):
    sources._MANY = many
    with Folders() as folders:
        entries = sources.collect([sources.Source(Path(sys.argv[1]), "app")], exclude, print, folders)
        folders.close()
        for entry in entries:
            if entry.kind == "file":
                opened = entry.open()
                assert entry.matches(opened)
                os.close(opened)
        return [(*entry[:5], entry.source, *entry[6:]) for entry in entries]

"""


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{top}/{middle}/{name}" for top in "abc" for middle in "dé" for name in "fghi"])
    fill(folder, ["a/empty/", "z", "b/d/deep/er/file"])
    (folder / "b/link").symlink_to("../a/d/f")
    said = result(
        SEARCH
        + """
one, packed, searched = found(1 << 40), sources._packed, os.memfd_create("searched")

def counted(*given):
    os.write(searched, str(os.getpid()).encode() + b" ")
    time.sleep(0.01)
    return packed(*given)

sources._packed = counted
for many in (0, 3, 9):
    assert found(many) == one
for patterns in (["**/g", "a/d"], ["a/*", "!a/d/f"]):
    assert found(3, *patterns) == found(1 << 40, *patterns) != one
names = set(os.pread(searched, 10000, 0).split())
print(len(one), len(names) > 3, str(os.getpid()).encode() in names)
""",
        os.fspath(folder),
    )
    assert said == "40 True False\n"


@pytest.mark.parametrize(
    ("at_fault", "error"),
    [
        ("os.mkfifo(top / 'b/pipe')", "in/b/pipe: a named pipe, which cannot be in a layer; hint: "),
        ("sources._packed = lambda *_: os.kill(os.getpid(), 9)", "image: one of its processes was killed; hint: "),
    ],
)
def test_a_search_by_several_processes_ends_at_the_first_error(at_fault: str, error: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{top}/{name}" for top in "abc" for name in range(9)])
    said = result(
        SEARCH
        + f"""
top = Path(sys.argv[1])
{at_fault}
try:
    found(2)
except GeneratorError as failed:
    print(failed)
show_children()
""",
        os.fspath(folder),
    )
    assert error in said
    assert said.endswith("\nno child\n")
