# SPDX-License-Identifier: Apache-2.0
"""Records that the rules of starting take and return."""

from typing import Literal, NamedTuple, Protocol

from . import paths
from .programs import Program

Base = Literal["hostprocess", "windows", "bare"]
"""An image without a Windows that runs on the node, an image with its own Windows, and one that is for neither."""

Rule = Literal[
    "program",
    "program-some",
    "program-node",
    "program-kind",
    "program-machine",
    "program-header",
    "program-quotes",
    "arguments",
    "argument-empty",
    "path-of-image",
    "env-path",
    "env-twice",
    "user",
    "workdir",
    "no-windows",
]


Option = Literal["entrypoint", "cmd", "env", "user", "workdir"]


class Problem(NamedTuple):
    """A broken rule: *option* names the setting by the option of `image`, *value* is its value or a part of it.

    *found* is the problem, *hint* how to fix it, which may be empty.
    """

    rule: Rule
    option: Option
    value: str
    found: str
    hint: str = ""


class File(NamedTuple):
    """A file of the image at *path*, below C: and with slashes; *program* is None if its content is unknown."""

    path: str
    program: Program | None = None


class Files(Protocol):
    """The files of an image; paths have slashes, no drive, and any case."""

    @property
    def complete(self) -> bool:
        """Whether all files are known, so that one not found is missing."""

    def file(self, path: str) -> File | None:
        """Return the file at *path*, or None; a link counts as a file of unknown content."""

    def directory(self, path: str) -> str | None:
        """Return the directory at *path* as the image spells it, or None."""

    def named(self, name: str) -> str | None:
        """Return the path of a file called *name* in any directory, or None."""


class Settings(NamedTuple):
    """How an image is started: the fields of its configuration, *env* as pairs of name and value."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    user: str = ""
    architecture: str = "amd64"
    raw: bool = False  # ArgsEscaped: the first word is a command line

    @property
    def option(self) -> Option:
        """The setting that has the program."""
        return "entrypoint" if self.entrypoint else "cmd"

    @property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return self.entrypoint + self.cmd

    @property
    def path(self) -> str | None:
        """The value of PATH in any case, or None; the last one counts."""
        return next((value for name, value in reversed(self.env) if name.upper() == "PATH"), None)

    @property
    def search_paths(self) -> list[paths.Path]:
        """The directories of PATH."""
        return [paths.parse(each) for each in (self.path or "").split(";") if each.strip()]
