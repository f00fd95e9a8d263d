# SPDX-License-Identifier: Apache-2.0
"""Print the commands by group, and suggest the command or option that a misspelled word means."""

import difflib
import textwrap
from collections.abc import Iterable

from .commands import COMMANDS

GROUPS = {
    "Make images": ("image", "rebase", "index"),
    "Check": ("check-image", "check-hive", "outdated"),
    "Look inside": ("inspect", "diff", "extract", "report"),
    "Vendor base layers": ("vendor", "vendored", "layer"),
    "Maintain": ("generate", "check-stale", "verify", "sddl", "completion"),
}
"""The commands of the help page, by heading."""

DEVELOPER_TASKS = ("test", "lint", "fix")
"""The tasks of tasks.py that are no commands."""

_WIDTH = 80


def page(program: str, description: str) -> str:
    """Return the help page of *program*: its commands by group."""
    lines = [f"usage: {program} COMMAND ...", "", description]
    width = max(map(len, COMMANDS)) + 4
    for heading, names in GROUPS.items():
        lines += ["", f"{heading}:"]
        for command in (COMMANDS[name] for name in names if program in COMMANDS[name].doors):
            text = command.help.partition(":")[0].rstrip(".") + " (needs a checkout)" * command.checkout
            wrapped = textwrap.wrap(text, _WIDTH - width, break_on_hyphens=False)
            lines += [f"  {command.name:<{width - 2}}{wrapped[0]}", *(" " * width + rest for rest in wrapped[1:])]
    lines += ["", f"{program} help COMMAND lists the options of a command; -V prints the version."]
    return "\n".join(lines)


def suggestion(word: str, known: Iterable[str], program: str) -> str:
    """Return a question that names the closest of *known*, or the command for help if none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"{program} --help"
