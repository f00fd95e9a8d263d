# SPDX-License-Identifier: Apache-2.0
"""File system errors, concurrent runs and a faulty engine: one line names the cause, and every file stays whole."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.counts import count
from helpers.kills import change_layer, change_templates, command, edit, run
from helpers.small_checkout import check, generate, outputs, small_checkout
from helpers.support import BUILDER, lack, need, selected

from generator.base.errors import GeneratorError
from generator.base.home import TEMPORARY
from generator.builder import choose
from generator.builder.wire import ROOT, Built
from generator.hives.model import Hive

# ---------------------------------------------------------------------------------------------
# The file system


@contextlib.contextmanager
def mounted(target: Path, *options: str) -> Iterator[None]:
    """Mount something on *target* within the block."""
    done = subprocess.run([need("mount"), *options, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        lack(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(target)], check=True)


def one_line_of(failure: pytest.ExceptionInfo[GeneratorError]) -> str:
    """Return the message of the error, which must be printable."""
    text = str(failure.value)
    assert text.isprintable()
    return text


@pytest.fixture(scope="module")
def _stale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = small_checkout(tmp_path_factory.mktemp("stale") / "tree")
    generate(tree)
    change_templates(tree)
    return tree


@pytest.fixture
def stale(_stale: Path, tmp_path: Path) -> Path:
    """Return a checkout whose every module is stale."""
    return shutil.copytree(_stale, tmp_path / "tree")


def test_full_disk_changes_nothing_and_next_run_succeeds(stale: Path) -> None:
    kept = outputs(stale)
    shutil.move(stale / "output", stale / "saved")
    (stale / "output").mkdir()
    with mounted(stale / "output", "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        shutil.copytree(stale / "saved", stale / "output", dirs_exist_ok=True)
        filler = stale / "output/.filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        for room in range(0, 96 << 10, 12 << 10):  # the disk fills up at one file or another
            os.truncate(filler, max(filler.stat().st_size - room, 0))
            with pytest.raises(GeneratorError) as failure:
                generate(stale)
            assert one_line_of(failure).endswith("cannot be written: No space left on device, and nothing was changed")
            filler_bytes = outputs(stale).pop("output/.filler")
            assert outputs(stale, temporary=True) == kept | {"output/.filler": filler_bytes}
            assert check(stale)[0] == 1
            if room > 24 << 10:
                break
        filler.unlink()
        generate(stale)
        assert check(stale)[0] == 0


def test_read_only_checkout_can_be_checked_but_not_generated(stale: Path) -> None:
    kept = outputs(stale)
    with mounted(stale, "--bind", "-o", "ro", str(stale)):
        status, said = check(stale)
        assert (status, said[-1]) == (1, "to fix: ./invokew generate")
        done = run(stale)
        assert done.returncode == 1
        assert re.fullmatch(
            r"error: .*: Read-only file system, and nothing was changed\n", done.stderr.splitlines(True)[-1]
        )
    assert outputs(stale, temporary=True) == kept


@pytest.mark.parametrize("path", ["output/c/windows_one.c", "output/layers/two.tar.gz", "output/manifest.json"])
def test_directory_in_place_of_an_output_is_named(path: str, stale: Path) -> None:
    (stale / path).unlink()
    (stale / path / "kept").mkdir(parents=True)
    kept = outputs(stale)
    for force in (True, False):
        with pytest.raises(GeneratorError, match=path) as failure:
            generate(stale, force=force)
        assert one_line_of(failure)
        assert outputs(stale, temporary=True) == kept
    if path == "output/manifest.json":
        with pytest.raises(GeneratorError, match="Is a directory"):
            check(stale)
    else:
        assert f"stale: {path}: a directory in its place" in check(stale)[1]


@pytest.mark.parametrize("path", ["output", "output/python", "output/layers"])
def test_file_in_place_of_a_folder_is_named(path: str, stale: Path) -> None:
    shutil.rmtree(stale / path)
    (stale / path).write_text("in the way")
    with pytest.raises(GeneratorError, match=path) as failure:
        generate(stale)
    assert one_line_of(failure)
    status, said = check(stale)
    assert status == 1
    assert any(line.partition(": ")[2].startswith(f"{path}/") for line in said), said
    assert (stale / path).read_text() == "in the way"


@pytest.mark.parametrize("path", ["templates/c/module.c.jinja", "generator/layers/one.toml", "output/manifest.json"])
@pytest.mark.program
def test_unreadable_file_is_named(path: str, stale: Path) -> None:
    kept = outputs(stale)
    (stale / path).chmod(0)
    # Root drops the capabilities that let it read everything.
    dropped = "-dac_override,-dac_read_search"
    before = [need("setpriv"), f"--bounding-set={dropped}", f"--inh-caps={dropped}"] if os.geteuid() == 0 else []
    for what in ("check", "generate"):
        done = run(stale, what, *before)
        assert done.returncode == 1
        assert done.stderr == f"error: {path}: cannot be read: Permission denied\n"
    (stale / path).chmod(0o644)
    assert outputs(stale, temporary=True) == kept


@pytest.mark.parametrize("path", ["templates/go/module.go.jinja", "generator/layers/one.toml"])
def test_folder_in_place_of_an_input_is_named(path: str, stale: Path) -> None:
    kept = outputs(stale)
    (stale / path).unlink()
    (stale / path).mkdir()
    for run_on in (check, generate):
        with pytest.raises(GeneratorError, match=f"^{path}: ") as failure:
            run_on(stale)
        assert one_line_of(failure)
    assert outputs(stale, temporary=True) == kept


# ---------------------------------------------------------------------------------------------
# Concurrent runs


def test_lock_of_a_dead_process_is_free(stale: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, os; fcntl.flock(os.open('.', 0), fcntl.LOCK_EX); print(1); input()"],
        cwd=stale,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        descriptor = os.open(stale, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        holder.kill()
    assert "waiting for the lock" not in generate(stale)
    assert check(stale)[0] == 0


@pytest.mark.program
def test_four_concurrent_runs_write_once(stale: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen(command(), cwd=stale, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate() for process in runs]
    assert [process.returncode for process in runs] == [0] * 4, said
    assert sum("wrote output/manifest.json" in out or "wrote output/c/windows_one.c" in out for out, _ in said) == 1
    assert sum("fresh: nothing to do" in out for out, _ in said) == 3
    assert check(stale)[0] == 0
    assert not [path for path in outputs(stale, temporary=True) if path.endswith(TEMPORARY)]


def test_check_during_generate_never_sees_half_of_it(stale: Path) -> None:
    template = stale / "templates/python/module.py.jinja"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    seen: Counter[int] = Counter()
    generate(stale)
    for number in range(count(1, 4)):
        edit(template, "\nimport zlib\n", f"\nimport zlib  # {number}\n")
        assert check(stale)[0] == 1
        with subprocess.Popen(command(), cwd=stale, env=env, stdout=subprocess.DEVNULL) as process:
            ended = False
            while not ended:
                ended = process.poll() is not None
                status, said = check(stale)
                seen[status] += 1
                assert "half written" not in " ".join(said)
                assert "deleted" not in " ".join(said)
                time.sleep(0.2)  # back-to-back checks would share the lock and starve the run
        assert process.returncode == 0
        assert check(stale)[0] == 0
        edit(template, f"\nimport zlib  # {number}\n", "\nimport zlib\n")
        generate(stale)
    assert set(seen) <= {0, 1}, seen


# ---------------------------------------------------------------------------------------------
# A faulty engine


@dataclass(frozen=True)
class Flipping:
    """An engine that changes one byte of each hive that *real* builds."""

    real: choose.Engine
    name = "flipping"

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as built, with a wrong byte in the root key's signature."""
        built = self.real.build(hives)
        flipped = {name: data[:0x1024] + b"o" + data[0x1025:] for name, data in built.hives.items()}
        return built._replace(hives=flipped)


def test_refused_hive_changes_no_output(stale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_layer(stale)
    kept = outputs(stale)
    flipping = Flipping(selected(BUILDER))
    monkeypatch.setattr(choose, "select", lambda *_, **__: flipping)
    with pytest.raises(
        GeneratorError, match=r"^one:a/ONE: engine flipping.* and builtin make different hives"
    ) as failure:
        generate(stale)
    assert "from offset 0x1024 on" in one_line_of(failure)
    assert outputs(stale, temporary=True) == kept
