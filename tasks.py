# SPDX-License-Identifier: Apache-2.0
"""The tasks that Invoke offers in this checkout, made of the table of commands in generator/cli/commands.py."""

import sys
from collections.abc import Sequence
from typing import Any

from invoke import Argument, Collection, Context, Exit, Task

from generator.base.console import status_of
from generator.base.errors import GeneratorError
from generator.cli import commands
from generator.cli.commands import Command, Option


class CommandTask(Task[Any]):
    """A command of the table as Invoke sees it."""

    def __init__(self, command: Command) -> None:
        self.command = command

        def run(_: Context, **values: Any) -> None:
            status = status_of(lambda: command.run(**self._gathered(values)))
            if status:
                raise Exit(code=status)

        places = " ".join(f"[{a.name} ...]" if a.many else a.name for a in command.arguments)
        run.__doc__ = command.help + (f" Arguments: {places}" if places else "")
        super().__init__(run, name=command.name)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Invoke's
        """Return what Invoke is to read, one argument for each word where a command takes any number of them.

        Invoke asks every task and copies what each says, some milliseconds' work; one that was not named says nothing.
        """
        if self.command.name not in sys.argv:
            return []
        try:
            before, words, _ = self._split()
        except GeneratorError:  # told when the command runs, if it is the one that was meant
            before, words = self.command, []
        found: list[Argument] = []
        needed = not {"-h", "--help"} & {*words}  # Invoke would take these for the first argument
        for argument in before.arguments:
            name = argument.name.lower()
            names = [f"{name}{n}" for n in range(_places(before.options, words))] if argument.many else [name]
            found += [Argument(each, help=_help(argument), positional=needed) for each in names]
        return found + [_option(option) for option in before.options]

    def _gathered(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return Invoke's *values* as the command takes them: words that were counted are one list again."""
        before, _, after = self._split()
        options = {option.name.replace("-", "_") for option in before.options}
        gathered = {name: value for name, value in values.items() if name in options}
        for argument in before.arguments:
            name = argument.name.lower()
            words = [value for key, value in values.items() if key not in options and key.startswith(name)]
            gathered[name] = words if argument.many else values[name]
        for name, value in after.items():
            gathered[name] = gathered.get(name, []) + value if isinstance(value, list) else value
        return gathered

    def _split(self) -> tuple[Command, Sequence[str], dict[str, Any]]:
        name = self.command.name
        return commands.split(self.command, sys.argv[sys.argv.index(name) + 1 :] if name in sys.argv else [])


def _help(described: Option | commands.Argument) -> str:
    """Return the help text where it is asked for; else Invoke, which reads all tasks, needs none."""
    return commands.told(described.help) if {"-h", "--help"} & {*sys.argv} else ""


def _option(option: Option) -> Argument:
    letter = commands.LETTERS.get(option.name)
    names = (option.name, letter) if letter else (option.name,)
    # Invoke never ends on a name that stands for itself.
    attribute = option.name.replace("-", "_") if "-" in option.name else None
    if not option.value:
        return Argument(names=names, kind=bool, default=False, help=_help(option), attr_name=attribute)
    return Argument(names=names, kind=list if option.many else str, help=_help(option), attr_name=attribute)


def _places(options: Sequence[Option], words: Sequence[str]) -> int:
    """Return how many of *words* are neither options nor their values."""
    valued = {f"--{option.name}" for option in options if option.value}
    valued |= {
        f"-{commands.LETTERS[option.name]}" for option in options if option.value and option.name in commands.LETTERS
    }
    return sum(
        not word.startswith("-") and previous not in valued for previous, word in zip(("", *words), words, strict=False)
    )


namespace = Collection(*(CommandTask(each) for each in commands.COMMANDS.values() if commands.INVOKE in each.doors))
