# SPDX-License-Identifier: Apache-2.0
"""Windows images made from files and folders, on a base layer of ours.

This is the Python interface of the command ``winscratch image``, under semantic versioning::

    from winscratch.image import Options, make

    made = make(Options(source=("hello.exe",), entrypoint=("hello.exe",), to=("oci:out:hello",)))
    print(made.digest, *made.references)

Whatever a user can fix is raised as GeneratorError, whose message is one line.
"""

from ..base.errors import GeneratorError
from .options import Options, SourceTable
from .produce import Made, make

__all__ = ["GeneratorError", "Made", "Options", "SourceTable", "make"]
