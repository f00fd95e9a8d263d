# SPDX-License-Identifier: Apache-2.0
"""Run code in a process of one thread with workers on three cores, as the command line does."""

import subprocess
import sys

from generator.builder.wire import ROOT

from .support import HANG

# In a process of one thread, as the command line is: pytest's own may have more.
ALONE = """
import os, pickle, signal, sys, time
from generator.image import workers

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for what it runs in the background
workers._cores = lambda: 3
assert workers.can_fork()

def work(item, memory):
    memory[:4] = item.to_bytes(4, "little")
    time.sleep(0.002 * (item % 5))
    return item, os.getpid(), pickle.PickleBuffer(bytes([item % 256]) * (item * 7919))

def show_children():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no child")

"""


def alone(program: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start *program* after ALONE."""
    return subprocess.Popen(
        [sys.executable, "-c", ALONE + program, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(program: str, *arguments: str) -> str:
    """Run *program* after ALONE and return its standard output; it must succeed and print no errors."""
    process = alone(program, *arguments)
    said, errors = process.communicate(timeout=HANG)
    assert (process.returncode, errors) == (0, "")
    return said
