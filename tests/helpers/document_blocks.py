# SPDX-License-Identifier: Apache-2.0
"""Find the commands in documents, and run them in a folder as a reader would.

A block of ``sh`` or ``console`` runs, in order, in one folder for each document, unless a comment stands above it:
``<!-- not run: REASON -->``, ``<!-- tested by: tests/FILE.py -->``, ``<!-- run: NAME -->`` of a document with a test
of its own, or ``<!-- file: PATH -->`` of an example.
``<!-- before: COMMANDS -->`` prepares the block above which it stands.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .committed_modules import PROJECT
from .programs import ARM64, pe
from .random_hives import committed_hives

_BLOCK = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- ([\w ]+?): (.*) -->")
_END = "end of a command"
REGISTRY = "registry.example"


class Block(NamedTuple):
    """A block of commands: *marks* are the comments above it by their words, *commands* have their expected output."""

    document: Path
    marks: dict[str, str]
    commands: tuple[tuple[str, str], ...]

    @property
    def runs(self) -> bool:
        """Return whether the block is run as it stands."""
        return not self.marks.keys() & {"not run", "tested by", "run", "file"}


def documents() -> list[Path]:
    """Return the documents for users."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks(document: Path) -> Iterator[Block]:
    """Yield the blocks of commands of *document*."""
    for comments, kind, text in _BLOCK.findall(document.read_text("utf-8")):
        marks = dict(_COMMENT.findall(comments))
        if kind == "sh":
            yield Block(document, marks, ((text, "…\n"),))
        else:
            yield Block(
                document,
                marks,
                tuple(re.findall(r"^\$ ((?:.*\\\n)*.*\n)((?!\$ )(?:.*\n)*?)(?=\$ |\Z)", text, re.MULTILINE)),
            )


class Session:
    """A folder with files that documents name, and `winscratch` on PATH; *registry* is the address of a registry."""

    def __init__(self, folder: Path, registry: str = "") -> None:
        self.folder, self._registry = folder, registry
        programs = folder / ".bin"
        programs.mkdir(parents=True)
        for program in (programs / "winscratch", folder / "invokew"):
            program.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -P -m generator "$@"\n')
            program.chmod(0o755)
        (folder / "hello.exe").write_bytes(pe())
        (folder / "hello-arm64.exe").write_bytes(pe(ARM64))
        (folder / "installer.msi").write_bytes(b"msi")
        (folder / "SOFTWARE").write_bytes(committed_hives()["scratch:SOFTWARE"][0])
        (folder / "output").symlink_to(PROJECT / "output")
        self.environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "COLUMNS": "80",
        }

    def run(self, block: Block) -> list[str]:
        """Run the commands of *block* in one shell and return the output of each, standard error included."""
        script = "exec 2>&1\n" + block.marks.get("before", "") + f"\necho '{_END}'\n"
        for command, _ in block.commands:
            script += f"{command.rstrip()}\n(status=$?; echo '{_END}'; exit $status)\n"
        if self._registry:
            script = script.replace(REGISTRY, self._registry)
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, check=False
        )
        text = done.stdout.decode().replace(self._registry or REGISTRY, REGISTRY)
        return text.split(f"{_END}\n")[1:-1]


def matches(shown: str, output: str) -> bool:
    """Return whether *output* is as *shown*, in which a line of ``…`` stands for any lines, and ``…`` for any text."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "…\n" else re.escape(line).replace("…", ".*")
        for line in shown.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, output) is not None
