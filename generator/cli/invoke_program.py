# SPDX-License-Identifier: Apache-2.0
"""The program that ./invokew starts: Invoke for tasks, argparse for the other commands of the table."""

from collections.abc import Callable
from typing import Any

from invoke import Config, Program
from invoke.config import merge_dicts
from invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar, UnknownFileType

from .. import VERSION
from ..base.console import say
from ..base.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, GeneratorError
from .commands import COMMANDS, INVOKE, LETTERS

# Invoke would choose other letters for the same options.
_LONG = {f"-{letter}": f"--{name}" for name, letter in {**LETTERS, "all": "a", "help": "h", "select": "k"}.items()}


def _checked(read: Callable[[Any], Any], path: Any) -> Any:
    """Return the Invoke settings that *read* finds in *path*; raise GeneratorError if they are invalid."""
    try:
        settings = read(path)
        merge_dicts(Config.global_defaults(), settings)  # raises if a value is not a table but must be
    except FileNotFoundError:  # Invoke tries several names
        raise
    except Exception as error:  # a Python file may raise anything
        raise GeneratorError(f"{path}: invalid Invoke settings: {error}; hint: fix or remove the file") from error
    return settings


class _Config(Config):
    """Invoke's settings from the user's files only: an invoke.py in the checkout is not run."""

    def _load_yaml(self, path: Any) -> Any:
        return _checked(super()._load_yaml, path)

    _load_yml = _load_yaml

    def _load_json(self, path: Any) -> Any:
        return _checked(super()._load_json, path)

    def _load_py(self, path: Any) -> Any:
        return _checked(super()._load_py, path)

    def load_project(self, merge: bool = True) -> None:
        """Ignore settings files in the checkout."""


class _Program(Program):
    """Invoke with exit status 2 for usage errors, since 1 means stale, and 130 for an interruption."""

    executing = False

    def execute(self) -> None:
        self.executing = True
        super().execute()

    def list_tasks(self) -> None:
        super().list_tasks()
        if self.list_format == "flat":
            others = sorted(name for name, each in COMMANDS.items() if INVOKE in each.doors and not each.task)
            say(f"Other commands: {', '.join(others)}")

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002 - Invoke's
        try:
            super().run(argv, exit)
        except SystemExit as end:
            if isinstance(end.__context__, KeyboardInterrupt):
                raise SystemExit(EXIT_INTERRUPTED) from end
            if end.code == 1 and not self.executing:
                raise SystemExit(EXIT_ERROR) from end
            raise
        except (AmbiguousEnvVar, UncastableEnvVar, UnknownFileType) as error:
            raise GeneratorError(f"Invoke settings: {error}") from error


def main(root: str, arguments: list[str]) -> int:
    """Run the task or command that *arguments* name in the checkout at *root*; return 0 or raise SystemExit."""
    words = list(arguments)
    if words[:1] in (["-h"], ["--help"]) and len(words) > 1:  # as `COMMAND --help`
        words = [words[1], words[0]]
    command = COMMANDS.get(words[0]) if words else None
    if words[:1] == ["help"] or (command and INVOKE in command.doors and (not command.task or "--" in words)):
        from . import parser

        return parser.main(words, INVOKE)
    if words and not words[0].startswith("-"):
        words = [_LONG.get(word, word) for word in words]
        if "--help" in words:  # Invoke would read it as the first argument
            words = ["--help", words[0]]
    names = ["invokew"]
    program = _Program(VERSION, name="winscratch", binary=INVOKE, binary_names=names, config_class=_Config)
    program.run(["invokew", "--search-root", root, *words])
    return EXIT_OK
