# SPDX-License-Identifier: Apache-2.0
"""Render the page of each language, docs/languages/LANGUAGE.md, from one frame and the language's own part."""

import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jinja2

from generator.generation.manifest import layers
from generator.languages.table import LANGUAGES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/languages"
FRAME = PAGES / "frame"
START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from generator.__main__ import main; sys.exit(main(sys.argv[1:]))"
)

# The words of generator/languages/language.py API in a language's page.
WORDS = {
    "name": "name",
    "media type": "media type of the blob",
    "diff ID": "diff ID, the digest of the layer",
    "digest": "digest of the blob",
    "layer size": "bytes of the layer",
    "blob size": "bytes of the blob",
    "layer": "the layer, an uncompressed tar",
    "blob": "the blob, gzip, as it is pushed",
    "open": "a stream of the layer",
    "open compressed": "a stream of the blob",
    "BCD": "the BCD store, a part of the layer",
    "verify": "check against the stated digests",
}
# What a writer offers; each page says how, or leaves out what the language has in another form.
CALLS = {
    "start": "start a layer",
    "file": "write a file",
    "pieces": "write a file in pieces",
    "directory": "write a directory",
    "symlink": "write a symlink",
    "hardlink": "write a hard link",
    "whiteout": "remove a path of the layers below",
    "tree": "write a directory tree",
    "close": "write the end",
    "attributes": "attributes",
    "descriptor": "security descriptor",
    "times": "times",
    "error": "errors",
    "core": "headers alone, without the rules between entries",
}


def part(path: str, start: str) -> str:
    """Return a function of a file: from the line that contains *start*, to the next of that indentation."""
    lines = (ROOT / path).read_text("utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if start in line)
    indent = re.match(r" *", lines[first])
    assert indent is not None
    found = [lines[first]]
    for line in lines[first + 1 :]:
        if line and not line.startswith((indent[0] + " ", indent[0] + "\t", "#")):
            found += [line] if line.strip() in {"}", "};", "{", ")", ") -> None:"} else []
            if line.strip() != "{":
                break
        else:
            found.append(line)
    text = "\n".join(line.removeprefix(indent[0]) for line in found)
    return text.rstrip() + "\n"


def title(language: str) -> str:
    """Return the title of a language's page, or an empty text if it has none."""
    own = FRAME / f"{language}.md.jinja"
    found = re.search(r'"title": "(.*)"', own.read_text("utf-8")) if own.exists() else None
    return found[1] if found else ""


@functools.cache
def checked() -> str:
    """Return what check-image prints about the image of a folder that holds hello.txt, made by Python's example."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "folder")
        folder.mkdir()
        folder.joinpath("hello.txt").write_bytes(b"hello\n")
        environment = os.environ | {"PYTHONPATH": str(ROOT / "output/python"), "LC_ALL": "C.UTF-8"}
        commands: tuple[list[str | Path], ...] = (
            [sys.executable, "-B", ROOT / "examples/python/image.py", "folder", "out"],
            [sys.executable, "-P", "-c", START, ROOT, "check-image", "oci:out:latest"],
        )
        said = ""
        for command in commands:
            said = subprocess.run(command, cwd=made, env=environment, capture_output=True, text=True, check=True).stdout
    return said.strip()


def pages() -> dict[Path, str]:
    """Return the text of each language's page that has its own part in the frame."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FRAME),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown
    )
    return {
        PAGES / f"{path.name.partition('.')[0]}.md": _page(environment, path.name.partition(".")[0])
        for path in sorted(FRAME.glob("*.md.jinja"))
        if path.name != "page.md.jinja"
    }


def _page(environment: jinja2.Environment, language: str) -> str:
    row = LANGUAGES[language]
    options = row.committed("scratch")
    text = environment.get_template(f"{language}.md.jinja").render(
        language=language,
        row=row,
        layers=layers(ROOT),
        files=" and ".join(f"`{row.stem('LAYER', None)}{ending}`" for ending in row.endings("LAYER").values()),
        words=WORDS,
        calls=CALLS,
        spelled=lambda word: row.api[word].format(prefix=options.prefix, PREFIX=options.prefix.upper()),
        proof=row.proof(options),
        part=part,
        checked=checked(),
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
