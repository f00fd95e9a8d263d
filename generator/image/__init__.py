# SPDX-License-Identifier: Apache-2.0
"""Build Windows images from files and directories, on a winscratch base layer or on another image.

Takes Options; returns Made, with the digest and the references of the image. Begin reading at produce.make().
This is the Python interface of the command ``winscratch image``, under semantic versioning::

    from winscratch.image import Options, make

    made = make(Options(source=("hello.exe",), entrypoint=("hello.exe",), to=("oci:out:hello",)))
    print(made.digest, *made.references)

Errors are raised as GeneratorError with a message of one line.
"""

from ..base.errors import GeneratorError
from .options import Options
from .places import Made
from .produce import make
from .source_options import SourceData, SourceTable

__all__ = ["GeneratorError", "Made", "Options", "SourceData", "SourceTable", "make"]
