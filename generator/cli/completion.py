# SPDX-License-Identifier: Apache-2.0
"""What a shell needs to complete the words of the installed program, by argcomplete."""

import argparse

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from ..base.console import Verbatim, say
from ..base.errors import EXIT_OK, GeneratorError
from ..base.home import INSTALLED

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> int:
    """Print the script that has *shell* ask the program; return 0."""
    if shell not in SHELLS:
        raise GeneratorError(f"completion: {shell}: no such shell; use one of {', '.join(SHELLS)}")
    say(Verbatim(shellcode([INSTALLED], shell=shell)))
    return EXIT_OK


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks, and end the process."""
    argcomplete.autocomplete(parser, default_completer=FilesCompleter())
