# SPDX-License-Identifier: Apache-2.0
"""The contract of what commands say: where, when, and in what form the names of strangers' files appear."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from generator.errors import one_line, printable

PROJECT = Path(__file__).parents[1]
pytestmark = pytest.mark.program
CHECK = [sys.executable, "-B", "-m", "generator", "check-stale"]
BUFFERED = {name: value for name, value in os.environ.items() if name not in {"PYTHONUNBUFFERED", "GITHUB_ACTIONS"}}

HOSTILE = {
    "::error file=x::y": r":\x3aerror file=x::y",
    " \t::set-output name=a::b": r":\x3aset-output name=a::b",
    "##[error]x": r"#\x23[error]x",
    "a ##vso[task.setvariable variable=PATH]b": r"a #\x23vso[task.setvariable variable=PATH]b",
    "a\x1b[2Jb": r"a\x1b[2Jb",
    "a\nb\r\n::error::c": "a b ::error::c",
    "a\u202eb\u2028c": r"a\u202eb c",
    "\udcff": r"\udcff",
    "a  ::b ## [c]": "a ::b ## [c]",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_text_commands_neither_a_terminal_nor_a_log(text: str) -> None:
    assert one_line(text) == HOSTILE[text]


def test_a_line_of_a_file_keeps_its_white_space_and_loses_its_commands() -> None:
    assert printable("  \ta\t##[b]\x07") == "  \ta\t#\\x23[b]\\x07"
    assert printable(" ::warning::c") == r" :\x3awarning::c"


def run(tree: Path, *command: str, **settings: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command, cwd=tree, env=BUFFERED | settings, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_the_name_of_a_file_reaches_the_log_escaped(tree: Path) -> None:
    for name in ("a\n::error::b", "##[error]c", "d\x1b[2J"):
        (tree / "output" / name).touch()
    status, said, notes = run(tree, *CHECK)
    reason = "left over: no layer or template makes it"
    assert said.splitlines()[:3] == [
        rf"stale: output/#\x23[error]c: {reason}",
        f"stale: output/a ::error::b: {reason}",
        rf"stale: output/d\x1b[2J: {reason}",
    ]
    assert (status, notes) == (1, "")


def test_a_name_that_starts_a_line_is_no_command(tmp_path: Path) -> None:
    (tmp_path / "::error::x").write_bytes(b"not a hive")
    command = "import sys; from generator.hives import check; sys.exit(check.report(['::error::x', '::error::y']))"
    status, said, notes = run(tmp_path, sys.executable, "-c", command, PYTHONPATH=str(PROJECT))
    assert status == 2
    assert said.startswith(r":\x3aerror::x: ")
    assert notes.startswith(r":\x3aerror::y: cannot be read: ")


def test_a_name_that_the_output_cannot_encode_is_escaped(tree: Path) -> None:
    (tree / "output/日本").touch()
    status, said, notes = run(tree, *CHECK, PYTHONIOENCODING="latin-1")
    assert (status, notes) == (1, "")
    assert said.startswith("stale: output/\\u65e5\\u672c: left over")


def test_the_check_says_on_standard_error_that_it_waits_while_it_waits(tree: Path) -> None:
    holder = os.open(tree, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with subprocess.Popen(CHECK, cwd=tree, env=BUFFERED, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        timer = threading.Timer(60, process.kill)  # ends the reading, too
        timer.start()
        said = process.stderr.readline()
        timer.cancel()
        still_waits = process.poll() is None
        os.close(holder)
        rest = process.communicate(timeout=60)
    waits = f"waiting for another run to end, which holds the lock of {tree}\n".encode()
    assert (said, still_waits) == (waits, True)
    assert (process.returncode, rest) == (0, (b"fresh: every output is what its inputs make\n", b""))


def test_standard_output_that_takes_nothing_is_an_error_and_not_stale(tree: Path) -> None:
    def status(shell: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", f'"$@" {shell}', "sh", *CHECK],
            cwd=tree,
            env=BUFFERED,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr

    assert status(">/dev/full") == (2, "error: standard output: cannot be written: No space left on device\n")
    assert status(">&-") == (0, "")
    (tree / "output/go/go.mod").unlink()
    assert status(">/dev/full 2>&-") == (2, "")
    assert status("2>&-") == (1, "")
