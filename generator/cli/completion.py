# SPDX-License-Identifier: Apache-2.0
"""Shell completion of the installed program, by argcomplete."""

import argparse

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from ..base.console import Verbatim, say
from ..base.errors import EXIT_OK, GeneratorError
from ..base.home import INSTALLED

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> int:
    """Print the completion script for *shell*; return 0."""
    if shell not in SHELLS:
        raise GeneratorError(f"completion: unknown shell {shell!r}; hint: use one of {', '.join(SHELLS)}")
    say(Verbatim(shellcode([INSTALLED], shell=shell)))
    return EXIT_OK


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the completions that the shell asks for, and exit."""
    argcomplete.autocomplete(parser, default_completer=FilesCompleter())
