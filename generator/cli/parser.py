# SPDX-License-Identifier: Apache-2.0
"""The command line of ``winscratch`` and ``python -m generator``, made of the table of commands."""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import VERSION
from ..base import home
from ..base.errors import GeneratorError
from .commands import COMMANDS, LETTERS, MODULE, Command, split, told


def main(arguments: Sequence[str]) -> int:
    """Run the command that *arguments* name through the door that this program is; return its exit status."""
    program = MODULE if home.CHECKOUT else home.INSTALLED
    if "_ARGCOMPLETE" in os.environ:  # a shell asks which words may come next
        from . import completion

        completion.complete(_whole_parser(program))
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None or program not in command.doors:
        _whole_parser(program).parse_args(arguments)  # prints help or version and ends, or raises the error
        raise GeneratorError(f"the command comes first; see {program} --help")
    words = arguments[1:]
    if command.checkout and not home.CHECKOUT and not {"-h", "--help"} & {*words}:
        from . import checkout

        return checkout.run(arguments)
    before, words, values = split(command, words)
    parser = _Parser(prog=f"{program} {command.name}", description=command.help, allow_abbrev=False)
    parser.words = words
    own = _with(parser, before)
    for name, value in vars(own.parse_intermixed_args(words)).items():
        values[name] = value + values.get(name, []) if isinstance(value, list) else value
    return command.run(**values)


class _Parser(argparse.ArgumentParser):
    """A parser whose error is one line, as every other; *words* are those that it is given."""

    words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        if found := re.fullmatch(r"argument (?:(-\w)/)?(--[\w-]+): expected one argument", message):
            pairs = zip(self.words, self.words[1:], strict=False)
            value = next((value for word, value in pairs if word in found.groups() and value.startswith("-")), "")
            if value:
                message += f"; a value that begins with a dash is given as {found[2]}={value}"
        raise GeneratorError(f"{message}; see {self.prog} --help")


def _whole_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of all that the door *program* leads to."""
    whole = _Parser(
        prog=program, description="Windows base layers, and the modules that embed them.", allow_abbrev=False
    )
    whole.add_argument("-V", "--version", action="version", version=f"winscratch {VERSION}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        if program in command.doors:
            shown = command.help + " Works in a checkout of winscratch." * command.checkout
            _with(commands.add_parser(command.name, help=shown, description=shown, allow_abbrev=False), command)
    return whole


def _with(parser: argparse.ArgumentParser, command: Command) -> argparse.ArgumentParser:
    """Return *parser* with the arguments and options of *command*."""
    for argument in command.arguments:
        nargs = "*" if argument.many else None
        added = parser.add_argument(argument.name.lower(), metavar=argument.name, help=told(argument.help), nargs=nargs)
        if argument.choices is not tuple:
            # For argcomplete. No parser refuses another word: the command's own error says more.
            added.completer = lambda choices=argument.choices, **_: list(choices())  # type: ignore[attr-defined]
    for option in command.options:
        names = [f"-{LETTERS[option.name]}"] if option.name in LETTERS else []
        settings: dict[str, Any] = {"action": "store_true"}
        if option.value:
            settings = {"metavar": option.value, "action": "append" if option.many else "store"}
            settings["default"] = [] if option.many else None
        parser.add_argument(*names, f"--{option.name}", help=told(option.help), **settings)
    return parser
