# SPDX-License-Identifier: Apache-2.0
"""The program that ./invokew starts: Invoke, but for the exit statuses that have a meaning here."""

from collections.abc import Callable
from typing import Any

from invoke import Config, Program
from invoke.config import merge_dicts
from invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar, UnknownFileType

from .. import VERSION
from ..base.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, GeneratorError


def _checked(read: Callable[[Any], Any], path: Any) -> Any:
    """Return Invoke's settings as *read* has them from *path*; tell in one line what of them it cannot use."""
    try:
        settings = read(path)
        merge_dicts(Config.global_defaults(), settings)  # refuses what is no table, or has none where one belongs
    except FileNotFoundError:  # Invoke tries several names
        raise
    except Exception as error:  # a Python file may raise anything
        raise GeneratorError(f"{path}: is no file of settings for Invoke: {error}; fix or remove it") from error
    return settings


class _Config(Config):
    """Invoke's settings, from the user's files; the checkout has none, so that an invoke.py in it is not run."""

    def _load_yaml(self, path: Any) -> Any:
        return _checked(super()._load_yaml, path)

    _load_yml = _load_yaml

    def _load_json(self, path: Any) -> Any:
        return _checked(super()._load_json, path)

    def _load_py(self, path: Any) -> Any:
        return _checked(super()._load_py, path)

    def load_project(self, merge: bool = True) -> None:
        """Read nothing."""


class _Program(Program):
    """Invoke, whose status 1 for wrong use is ours for what is stale, and which has none for an interruption."""

    executing = False

    def execute(self) -> None:
        self.executing = True
        super().execute()

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
            raise GeneratorError(f"Invoke's settings: {error}") from error


def main(root: str, arguments: list[str]) -> int:
    """Run Invoke on the tasks of the checkout at *root*; return 0, or raise SystemExit with another status."""
    names = ["invokew"]
    program = _Program(VERSION, name="winscratch", binary="./invokew", binary_names=names, config_class=_Config)
    program.run(["invokew", "--search-root", root, *arguments])
    return EXIT_OK
