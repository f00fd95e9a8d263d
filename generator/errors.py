# SPDX-License-Identifier: Apache-2.0
"""The one family of errors a user sees, each as a single line."""

EXIT_OK = 0
EXIT_STALE = 1
EXIT_ERROR = 2


class GeneratorError(Exception):
    """Something the user can mend: the message is one line that names file, key and mend."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """Return *text* as one printable line: white space runs folded, control characters escaped."""
    folded = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in folded)
