# SPDX-License-Identifier: Apache-2.0
"""The system calls of a run that change something: each is a point at which a test may kill the run."""

import atexit
import re
import shutil
import tempfile
from collections import Counter
from functools import cache

CALLS = "write,pwrite64,openat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,chmod,fchmodat,ftruncate"


@cache
def bytecode() -> str:
    """Return a directory for bytecode: what other tests compile would change how many files a run opens."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def points(log: str) -> list[tuple[str, int]]:
    """Return each call in strace's *log* that changed something: its name, and its number among those of that name."""
    numbers: Counter[str] = Counter()
    found = []
    for name, rest in re.findall(r"^(\w+)\((.*)", log, re.MULTILINE):
        numbers[name] += 1
        if " = -1 E" not in rest and (name != "openat" or "O_CREAT" in rest):
            found.append((name, numbers[name]))
    return found
