# SPDX-License-Identifier: Apache-2.0
"""Check that a program makes the layers of the test vectors, and random layers as the Python module does.

The program answers cases as tests/helpers/layer_vectors.py says. For machines without the tests' packages: this needs
a checkout and the standard library. ``python tests/helpers/ask_program.py --help``
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from helpers import layer_vectors  # noqa: E402 (found only once the path is set)

SHOWN = 20  # differences to print


def check(command: Sequence[str | Path], without: Sequence[str], number: int) -> list[str]:
    """Return the names of the cases, and the indices of *number* random layers, that *command* gets wrong."""
    cases = [case for case in layer_vectors.headers() + layer_vectors.layers() if case["name"] not in without]
    wrong = layer_vectors.differences(cases, layer_vectors.by_program(command, cases))
    drawn = layer_vectors.at_random(layer_vectors.SEED, number)
    answers = zip(layer_vectors.by_program(command, drawn), layer_vectors.by_python(drawn), strict=True)
    wrong += [f"random layer {index}" for index, (made, right) in enumerate(answers) if made != right]
    print(f"{len(cases)} cases and {len(drawn)} random layers: {len(wrong)} differ", *wrong[:SHOWN], sep="\n  ")
    return wrong


def main() -> int:
    """Run the check that the command line asks for; return 1 if a case differs."""
    parser = argparse.ArgumentParser(description="Check that a program makes the layers of the test vectors.")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="a case to leave out")
    parser.add_argument("--random", type=int, default=layer_vectors.AT_RANDOM, help="layers (default %(default)s)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the program and its arguments")
    arguments = parser.parse_args()
    known = {case["name"] for case in layer_vectors.headers() + layer_vectors.layers()}
    if unknown := set(arguments.without) - known:
        parser.error(f"--without: unknown case {min(unknown)!r}")
    if not arguments.command:
        parser.error("command is missing")
    return int(bool(check(arguments.command, arguments.without, arguments.random)))


if __name__ == "__main__":
    sys.exit(main())
