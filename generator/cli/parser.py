# SPDX-License-Identifier: Apache-2.0
"""Build argparse parsers from the table of commands, and run the command that the user names."""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import VERSION
from ..base import home
from ..base.console import Verbatim, say
from ..base.errors import EXIT_OK, GeneratorError
from . import groups
from .commands import COMMANDS, INVOKE, LETTERS, MODULE, Command, text_of

DESCRIPTION = "Make Windows container images from Linux, check them, and look at every byte."


def main(arguments: Sequence[str], program: str = MODULE if home.CHECKOUT else home.INSTALLED) -> int:
    """Run the command that *arguments* name, as *program* offers it; return its exit status."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks which words may come next
        from argcomplete import autocomplete
        from argcomplete.completers import FilesCompleter

        autocomplete(_whole_parser(program), default_completer=FilesCompleter())
    if [*arguments[:1]] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in {"-h", "--help"}:
        say(Verbatim(groups.page(program, DESCRIPTION)))
        return EXIT_OK
    command = COMMANDS.get(arguments[0])
    if command is None or program not in command.doors:
        if not arguments[0].startswith("-"):
            known = ["help", *(name for name, each in COMMANDS.items() if program in each.doors)]
            hint = _task(arguments) or groups.suggestion(arguments[0], known, program)
            raise GeneratorError(f"{arguments[0]}: unknown command; hint: {hint}")
        _whole_parser(program).parse_args(arguments)  # prints the version and ends, or raises the error
        raise GeneratorError(f"{arguments[0]}: the command comes first; hint: {program} --help")
    words = arguments[1:]
    if command.checkout and not home.CHECKOUT and not {"-h", "--help"} & {*words}:
        from . import checkout

        return checkout.run(arguments)
    before, words, values = _split(command, words)
    parser = _Parser(prog=f"{program} {command.name}", description=command.help, allow_abbrev=False)
    parser.words = words
    own = _with(parser, before)
    for name, value in vars(own.parse_intermixed_args(words)).items():
        values[name] = value + values.get(name, []) if isinstance(value, list) else value
    return command.run(**values)


def _task(arguments: Sequence[str]) -> str:
    """Return the command line of the task for developers that *arguments* name, or an empty string."""
    if arguments[0] not in groups.DEVELOPER_TASKS:
        return ""
    return f"{INVOKE} {arguments[0]}" + " --help" * (arguments[1:2] == ["--help"])


class _Parser(argparse.ArgumentParser):
    """A parser that raises its error as GeneratorError; *words* are its arguments."""

    words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        if found := re.fullmatch(r"unrecognized arguments: (-\S+).*", message):
            hint = groups.suggestion(found[1].partition("=")[0], self._option_string_actions, self.prog)
            raise GeneratorError(f"{found[1]}: unknown option; hint: {hint}")
        if found := re.fullmatch(r"argument (?:(-\w)/)?(--[\w-]+): expected one argument", message):
            pairs = zip(self.words, self.words[1:], strict=False)
            value = next((value for word, value in pairs if word in found.groups() and value.startswith("-")), "")
            if value:
                raise GeneratorError(f"{found[2]}: expected one argument; hint: {found[2]}={value}")
        subject, problem = message.split(": ", 1) if ": " in message else (self.prog, message)
        raise GeneratorError(f"{subject}: {problem}; hint: {self.prog} --help")


def _whole_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of all commands that *program* offers."""
    whole = _Parser(prog=program, description=DESCRIPTION, allow_abbrev=False)
    whole.add_argument("-V", "--version", action="version", version=f"winscratch {VERSION}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        if program in command.doors:
            shown = command.help + " Needs a checkout of winscratch." * command.checkout
            _with(commands.add_parser(command.name, help=shown, description=shown, allow_abbrev=False), command)
    return whole


def _with(parser: argparse.ArgumentParser, command: Command) -> argparse.ArgumentParser:
    """Return *parser* with the arguments and options of *command*."""
    for argument in command.arguments:
        name, nargs = argument.name, "*" if argument.many else None
        added = parser.add_argument(name.lower(), metavar=name, help=text_of(argument.help), nargs=nargs)
        if argument.choices is not tuple:
            # For argcomplete only: the command's own error for an unknown word has more detail.
            added.completer = lambda choices=argument.choices, **_: list(choices())  # type: ignore[attr-defined]
    for option in command.options:
        names = [f"-{LETTERS[option.name]}"] if option.name in LETTERS else []
        settings: dict[str, Any] = {"action": "store_true"}
        if option.value:
            settings = {"metavar": option.value, "action": "append" if option.many else "store"}
            settings["default"] = [] if option.many else None
        parser.add_argument(*names, f"--{option.name}", help=text_of(option.help), **settings)
    return parser


def _split(command: Command, words: Sequence[str]) -> tuple[Command, Sequence[str], dict[str, Any]]:
    """Split *words* at ``--``, after which words are arguments even if they start with a dash.

    Returns *command* without the arguments that the words after ``--`` fill, the words before it, and the values of
    the words after it.
    """
    at = words.index("--") if "--" in words else len(words)
    after = list(words[at + 1 :])
    arguments = command.arguments
    if arguments and arguments[-1].many:
        return command, words[:at], {arguments[-1].name.lower(): after}
    left = len(arguments) - len(after)
    if left < 0:
        raise GeneratorError(f"{command.name}: unexpected argument {after[-1]!r}")
    values = {argument.name.lower(): word for argument, word in zip(arguments[left:], after, strict=True)}
    return command._replace(arguments=arguments[:left]), words[:at], values
