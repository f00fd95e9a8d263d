# SPDX-License-Identifier: Apache-2.0
"""Maven in the tests: the jars that the tests in Java use, each held to its hash.

``python3 tests/helpers/maven.py`` writes the list of hashes anew, of what tests/languages/java/pom.xml comes to.
"""

import functools
import hashlib
import subprocess
import tempfile
from pathlib import Path

if __name__ != "__main__":
    from .support import need

FOLDER = Path(__file__).parents[1] / "languages/java"
LOCK = FOLDER / "jars.lock"
CLASSPATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"


def maven(program: str, *words: str | Path) -> None:
    """Run Maven, which has to succeed."""
    command = [program, "--batch-mode", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


@functools.cache
def jars() -> str:
    """Return the path of classes that has every jar; fails where one is not as the list says."""
    paths = _jars(need("mvn"))
    assert _lines(paths) == LOCK.read_text("ascii"), f"run python3 {Path(__file__).name}, and look at the difference"
    return ":".join(paths)


def _jars(program: str) -> list[str]:
    with tempfile.NamedTemporaryFile() as classpath:
        maven(program, "-f", FOLDER / "pom.xml", CLASSPATH, f"-Dmdep.outputFile={classpath.name}")
        return Path(classpath.name).read_text("utf-8").split(":")


def _lines(paths: list[str]) -> str:
    """Return a line for each jar, as sha256sum writes it."""
    files = sorted(map(Path, paths), key=lambda path: path.name)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


if __name__ == "__main__":
    LOCK.write_text(_lines(_jars("mvn")), "ascii")
