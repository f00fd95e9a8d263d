# SPDX-License-Identifier: Apache-2.0
"""Which .dockerignore counts, and what errors and notes print of it and of hostile names."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.layer_runs import fill, make, names
from helpers.support import lack

from generator.base import folders
from generator.base.errors import GeneratorError
from generator.image import Options, dockerignore
from generator.image import make as make_image

LINE = "[password-of-somebody"  # and no pattern
HOSTILE = "evil\x1b[31m\u202e\x07##[error]\r\nname"


def refused(work: Path, source: Path, **options: Any) -> str:
    with pytest.raises(GeneratorError) as error:
        make(work, source, **options)
    return str(error.value)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def device(path: Path) -> None:
    if os.geteuid() != 0:
        lack("only root may make a device")
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero


KINDS: dict[str, Callable[[Path], object]] = {
    "a symlink": lambda path: path.symlink_to("../elsewhere"),
    "a symlink to a file beside it": lambda path: path.symlink_to("x"),
    "a symlink that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
    "a socket": bind,
    "a device": device,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("at_folder", [folders.AT_FOLDER, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_dockerignore_that_is_not_a_regular_file_is_refused(
    kind: str, at_folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "AT_FOLDER", at_folder)
    monkeypatch.setattr("generator.image.sources.AT_FOLDER", at_folder)
    (tmp_path / "elsewhere").write_text(f"{LINE}\n")
    folder = fill(tmp_path / "in", ["x"])
    KINDS[kind](folder / ".dockerignore")
    line = refused(tmp_path / "out", folder)
    assert line == f"{folder}/.dockerignore: not a regular file; hint: replace it with one, or remove it"


def test_a_dockerignore_that_turns_into_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "in", ["x", ".dockerignore"])
    found = folders.Folder.stat

    def stat(self: folders.Folder, name: str, *, follow: bool = False) -> os.stat_result:
        status = found(self, name, follow=follow)
        if name == ".dockerignore":
            (folder / name).unlink()
            os.mkfifo(folder / name)
        return status

    monkeypatch.setattr(folders.Folder, "stat", stat)
    assert refused(tmp_path / "out", folder).startswith(f"{folder}/.dockerignore: changed while the image was made")


@pytest.mark.parametrize("line", [LINE, "[z-a]password", "[]password-", "!", "password\\", "[-]password", "x" * 5000])
def test_no_error_prints_a_line_of_a_dockerignore(line: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x"])
    (folder / ".dockerignore").write_text(f"# first\n\n{line}\n")
    message = refused(tmp_path / "out", folder)
    assert message.startswith(f"{folder}/.dockerignore: line 3: invalid pattern: ")
    reason = message.removeprefix(f"{folder}/.dockerignore: line 3: ")
    assert "password" not in reason
    assert "z-a" not in reason
    assert "xx" not in reason


def test_a_pattern_of_the_command_line_is_printed(tmp_path: Path) -> None:
    line = refused(tmp_path / "out", fill(tmp_path / "in", ["x"]), exclude=("ok", "[b\x1b"))
    assert line == r"--exclude: '[b\x1b': invalid pattern: an unclosed [ or a \ at the end"


def test_a_dockerignore_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x"])
    (folder / ".dockerignore").write_text("x\n" * (dockerignore.MAX_FILE // 2))
    (blob,) = make(tmp_path / "out", folder)
    assert names(blob) == [".dockerignore"]
    with (folder / ".dockerignore").open("a") as file:
        file.write("\n")
    assert refused(tmp_path / "refused", folder).startswith(f"{folder}/.dockerignore: larger than 1,048,576 bytes")


def test_each_source_has_its_own_dockerignore(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", ["a/x", "a/y"]), fill(tmp_path / "two", ["b/x", "b/y"])
    (one / ".dockerignore").write_text("**/x\n.dockerignore\n")
    (blob,) = make(tmp_path / "out", one, two, one_layer=True)
    assert names(blob) == ["a", "a/y", "b", "b/x", "b/y"]


def test_hostile_names_are_escaped_in_errors_and_notes(tmp_path: Path) -> None:
    top = fill(tmp_path / HOSTILE, ["x"])
    (top / ".dockerignore").write_text("y\n")
    (top / "x").chmod(0o4755)
    said: list[str] = []
    options = Options(source=(f"{top}",), to=(f"oci:{tmp_path}/out:1",), entrypoint=(HOSTILE,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", image_runs.cache())
        make_image(options, note=said.append)
    assert len(said) == 3
    os.mkfifo(top / HOSTILE)
    for line in (*said, refused(tmp_path / "refused", top)):
        assert line.isprintable()
        assert r"evil\x1b[31m\u202e\x07" in line
        assert "##[" not in line
