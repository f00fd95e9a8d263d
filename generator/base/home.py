# SPDX-License-Identifier: Apache-2.0
"""Paths of winscratch's own files, layers, templates and committed blobs, in a checkout or installed.

The installed package, winscratch, holds what a checkout has below generator/, with output/ and templates/ inside it.
Files keep the names that they have in a checkout, since digests cover the names.
"""

import os
import sys

CHECKOUT = __name__.partition(".")[0] == "generator"
# pathlib would double the time of the staleness check
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(_PACKAGE) if CHECKOUT else _PACKAGE
INSTALLED = "winscratch"  # the entry point that the package installs
PROGRAM = "./invokew" if CHECKOUT else INSTALLED  # in the commands of hints
# Hints for a missing library and for a missing or damaged committed file.
if not CHECKOUT:
    REMEDY = "reinstall winscratch"
elif os.path.abspath(sys.prefix) == os.path.join(ROOT, ".venv"):  # made by invokew, which assumes that it is complete
    REMEDY = f"remove {ROOT}/.venv and run ./invokew again"
else:
    REMEDY = "run ./invokew, which installs it"
RENEW = "run ./invokew generate" if CHECKOUT else "reinstall winscratch"
LAYERS = "generator/layers"  # the folder of specifications, in a checkout
TEMPORARY = ".winscratch-tmp"  # suffix of files that are being written


def path_of(root: "str | os.PathLike[str]", path: str) -> str:
    """Return the location below the package's *root* of the file that a checkout has at *path*."""
    return f"{root}/{path if CHECKOUT else path.removeprefix('generator/')}"
