# SPDX-License-Identifier: Apache-2.0
"""Hives built by a Python of this machine."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.engines import HIVES, SIGNALS, ignore, interrupted, message, native, toy_checkout
from helpers.support import group_members

from generator.base.process import EngineError
from generator.builder import choose, wire
from generator.builder import native as native_engine
from generator.builder.native import NativeEngine

pytestmark = pytest.mark.usefixtures("plain")


def test_native_ignores_python_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hivex.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert list(choose.build_hives(native(), HIVES)) == list(HIVES)


def test_native_passes_on_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = toy_checkout(tmp_path / "toy", "import os; print(sorted(os.environ))") / wire.BUILDER
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("LC_ALL", "tr_TR.ISO-8859-9")
    names = NativeEngine(sys.executable, package=package).run(b"").decode()
    assert "'LC_ALL'" in names
    assert "PYTHON" not in names


def test_native_takes_the_first_python_with_hivex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = native().python
    without = tmp_path / "python-without"
    without.write_text("#!/bin/sh\ncat >/dev/null\necho 'hivebuilder: hivex cannot be imported' >&2\nexit 3\n")
    without.chmod(0o755)
    said: list[str] = []
    monkeypatch.setattr(sys, "executable", str(without))
    monkeypatch.setattr(native_engine, "DEBIAN_PYTHON", python)
    assert choose.select("native", said.append) == NativeEngine(python)
    assert said == [f"engine: native ({python})"]

    monkeypatch.setattr(native_engine, "DEBIAN_PYTHON", "/no/python3")
    (tmp_path / "python3").symlink_to(without)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError) as failure:
        choose.select("native", ignore)
    assert message(failure) == (
        f"--engine: native: no Python with hivex found (tried {without}, /no/python3 cannot be started: "
        f"No such file or directory, {tmp_path}/python3); hint: on Debian apt-get install python3-hivex, "
        "or use another engine"
    )


def test_native_refuses_the_unrelated_hivex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (site / "hivex.py").write_text("# somebody's graph library\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    with pytest.raises(EngineError) as failure:
        choose.select("native", ignore)
    assert f"{site / 'hivex.py'} is not the registry library" in message(failure)


@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_signal_stops_the_native_builder(tmp_path: Path, number: int, status: int) -> None:
    pid = tmp_path / "pid"
    program = f"import os, signal; open({str(pid)!r}, 'w').write(f'{{os.getpid()}}\\n'); signal.pause()"
    package = toy_checkout(tmp_path / "toy", program) / wire.BUILDER
    made = f"NativeEngine({sys.executable!r}, package=Path({str(package)!r}))"
    assert interrupted(made, number, lambda: pid.exists() and pid.read_text()) == status
    assert group_members(int(pid.read_text())) == []


@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_a_signal_while_a_program_is_started_stops_it(number: int, status: int) -> None:
    """The signal comes when the program runs, and the caller does not have its process number yet."""
    started = f"""
import signal, subprocess, sys
from generator.base import process

class Early(subprocess.Popen):
    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        print(self.pid, flush=True)
        signal.raise_signal({number})

signal.signal(signal.SIGINT, signal.default_int_handler)
subprocess.Popen = Early
process.run(process.ProcessSpec(["sleep", "100000"], "sleep", 100000))
"""
    done = subprocess.run([sys.executable, "-c", started], cwd=wire.ROOT, stdout=-1, stderr=-1, check=False)
    assert done.returncode == status
    assert group_members(int(done.stdout)) == []
