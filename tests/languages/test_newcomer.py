# SPDX-License-Identifier: Apache-2.0
"""A language more, made as docs/add-a-language.md says: three files, and every test that languages share passes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.committed_modules import PROJECT
from helpers.support import START, need

NEWCOMER = PROJECT / "tests/languages/newcomer/php"
PLACES = {
    "language.py": "generator/languages/php.py",
    "module.php.jinja": "templates/php/module.php.jinja",
    "user.py": "tests/languages/programs/php.py",
}
SHARED = ("tests/languages/test_modules.py", "tests/languages/test_render.py", "tests/languages/test_table.py")
DOCUMENT = PROJECT / "docs/add-a-language.md"


def test_the_document_names_the_files_and_where_they_go() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert {path.name for path in NEWCOMER.iterdir()} == PLACES.keys()
    for name, place in PLACES.items():
        assert f"`{place}`" in text
        assert f"<!-- file: tests/languages/newcomer/php/{name} -->" in text


def test_a_language_of_three_files_passes_every_test_that_languages_share(tree: Path) -> None:
    need("php")
    for name in ("tests", "docs", "examples", "README.md", "pyproject.toml"):
        if (PROJECT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules", "target")
            shutil.copytree(PROJECT / name, tree / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(PROJECT / name, tree / name)
    for name, place in PLACES.items():
        (tree / place).parent.mkdir(exist_ok=True)
        shutil.copy(NEWCOMER / name, tree / place)
    commands = re.findall(r"^\./invokew (generate|vendor .*|vendored .*)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert [words.split()[0] for words in commands] == ["generate", "vendor", "vendored"]
    for words in commands:
        run(tree, "-P", "-c", START, tree, *words.split())
    run(tree, tree / "tests/project/test_docs.py")
    assert "| `php` | `windows_LAYER.php` |" in (tree / "docs/vendoring.md").read_text("utf-8")
    said = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "php", *SHARED)
    assert int(re.findall(r"(\d+) passed", said)[0]) >= 9
    assert "skipped" not in said


def run(tree: Path, *words: str | Path) -> str:
    done = subprocess.run([sys.executable, *words], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout
