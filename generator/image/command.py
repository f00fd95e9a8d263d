# SPDX-License-Identifier: Apache-2.0
"""The command `image`: make an image and print its references by digest."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base import console
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError
from . import produce
from .options import given
from .progress import shown


def image(source: Sequence[str], config: str | None, options: dict[str, Any], *, say: Say = console.say) -> int:
    """Make the image of *source* with *options*, which override those of the file *config*; return 0.

    The reference of each destination is printed as soon as the image is written to it. Raises GeneratorError.
    """
    if sys.stdout is None:
        raise GeneratorError("image: standard output is closed; hint: open it for the image's reference")
    gc.disable()  # the entries of 100,000 files form no cycles, and the search for cycles takes a tenth of the time
    chosen = given({"source": list(source), **options}, Path(config) if config else None)
    produce.make(chosen, progress=shown, done=say)
    gc.freeze()  # Python would visit them all at its end
    return EXIT_OK
