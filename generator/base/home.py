# SPDX-License-Identifier: Apache-2.0
"""Where winscratch's own files are: its layers, templates and committed blobs, in a checkout or installed.

An installed package is what a checkout has below generator/, with output/ and templates/ inside it, and is
called winscratch. Its files go by the paths that they have in a checkout, since digests are taken of those.
"""

import os
import sys

CHECKOUT = __name__.partition(".")[0] == "generator"
# pathlib would cost as much as the staleness check
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(_PACKAGE) if CHECKOUT else _PACKAGE
INSTALLED = "winscratch"  # the program that the package installs
# What the user starts, in commands that we advise.
PROGRAM = "./invokew" if CHECKOUT else INSTALLED
# What brings back a library that is not there, and a committed file.
if not CHECKOUT:
    REMEDY = "install winscratch anew"
elif os.path.abspath(sys.prefix) == os.path.join(ROOT, ".venv"):  # which invokew made, and takes to be whole
    REMEDY = f"remove {ROOT}/.venv and give the command again by ./invokew"
else:
    REMEDY = "./invokew installs it"
LAYERS = "generator/layers"  # the folder of specifications, in a checkout
TEMPORARY = ".winscratch-tmp"  # ends the name of a file that is being written
RENEW = "run ./invokew generate" if CHECKOUT else "install winscratch anew"


def path_of(root: "str | os.PathLike[str]", path: str) -> str:
    """Return where the file is that a checkout has at *path*, below the *root* of a program like this one."""
    return f"{root}/{path if CHECKOUT else path.removeprefix('generator/')}"
