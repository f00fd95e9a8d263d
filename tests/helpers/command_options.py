# SPDX-License-Identifier: Apache-2.0
"""Commands and tasks of ``./invokew``, with the names of their options."""

from invoke import Collection

import tasks
from generator.cli.commands import COMMANDS, INVOKE

TASKS = Collection.from_module(tasks).tasks
# Invoke removes a task's help texts as it returns the arguments, so they are asked for once.
ARGUMENTS = {name: task.get_arguments() for name, task in TASKS.items()}
OPTIONS = {name: {each.name for each in found} for name, found in ARGUMENTS.items()} | {
    name: {each.name for each in command.options} for name, command in COMMANDS.items() if INVOKE in command.doors
}
