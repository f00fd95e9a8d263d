# SPDX-License-Identifier: Apache-2.0
"""Commands and tasks of ``./invokew``, with the names of their options."""

from invoke import Collection

import tasks
from generator.cli.commands import COMMANDS, INVOKE

TASKS = Collection.from_module(tasks).tasks
OPTIONS = {name: {each.name for each in task.get_arguments()} for name, task in TASKS.items()} | {
    name: {each.name for each in command.options} for name, command in COMMANDS.items() if INVOKE in command.doors
}
