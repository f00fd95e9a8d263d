# SPDX-License-Identifier: Apache-2.0
"""Results of workers come in order, from processes and from threads, whatever ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.layer_runs import fill
from helpers.support import HANG, wait_until

from generator.builder.wire import ROOT
from generator.image import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are made on Linux alone")

# In a process of one thread, as the command line is: pytest's own may have more.
ALONE = """
import os, pickle, signal, sys, time
from generator.image import workers

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for what it runs in the background
workers._cores = lambda: 3
assert workers.can_fork()

def work(item, memory):
    memory[:4] = item.to_bytes(4, "little")
    time.sleep(0.002 * (item % 5))
    return item, os.getpid(), pickle.PickleBuffer(bytes([item % 256]) * (item * 7919))

"""


def alone(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ALONE + program, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(program: str, *arguments: str) -> str:
    process = alone(program, *arguments)
    said, errors = process.communicate(timeout=HANG)
    assert (process.returncode, errors) == (0, "")
    return said


def test_results_come_in_order_from_several_processes_even_if_they_exceed_their_memory() -> None:
    said = result("""
seen = set()
for number, ((item, pid, data), memory) in enumerate(workers.ordered(work, range(200))):
    assert item == number == int.from_bytes(memory[:4], "little")
    assert bytes(data) == bytes([item % 256]) * (item * 7919)
    seen.add(pid)
assert 200 * 7919 > workers.MEMORY
print(len(seen), os.getpid() in seen)
""")
    assert said == "3 False\n"


def test_an_error_of_one_item_comes_after_the_results_before_it_and_ends_all() -> None:
    said = result("""
def fails(item, memory):
    if item >= 7:
        raise ValueError(item)
    return item
made = []
try:
    for item, _ in workers.ordered(fails, range(50)):
        made.append(item)
except ValueError as error:
    print(made, error)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
""")
    assert said == "[0, 1, 2, 3, 4, 5, 6] 7\nno child\n"


def test_a_killed_worker_is_an_error_and_no_hang() -> None:
    said = result("""
def dies(item, memory):
    if item == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return item
made = []
try:
    for item, _ in workers.ordered(dies, range(50)):
        made.append(item)
except workers.EndedError:
    print(made == [*range(len(made))], len(made) <= 11)
""")
    assert said == "True True\n"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_their_parent_is_killed(sent: signal.Signals) -> None:
    process = alone("""
for (item, pid, _), memory in workers.ordered(work, range(10_000)):
    if item < 3:
        print(pid, flush=True)
    else:
        time.sleep(0.01)
""")
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(3)]
    process.send_signal(sent)
    process.communicate(timeout=HANG)
    wait_until(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_ctrl_c_ends_all_without_a_word_of_the_workers() -> None:
    process = alone("""
try:
    for (item, pid, _), memory in workers.ordered(work, range(10_000)):
        if item == 3:
            print("ready", flush=True)
        time.sleep(0.01)
except KeyboardInterrupt:
    print("stopped", flush=True)
""")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [*map(int, children), process.pid]:  # as a terminal does
        os.kill(pid, signal.SIGINT)
    try:
        said, errors = process.communicate(timeout=HANG)
    finally:
        process.kill()
    assert (said, errors, process.returncode) == ("stopped\n", "", 0)


def test_a_process_with_more_threads_uses_threads_and_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_cores", lambda: 4)
    ready = threading.Event()
    other = threading.Thread(target=ready.wait)
    other.start()
    try:
        assert not workers.can_fork()
        made = [(item, int(memory[0])) for item, memory in workers.ordered(in_this_process, range(100))]
    finally:
        ready.set()
        other.join()
    assert made == [((number, os.getpid()), number) for number in range(100)]


def in_this_process(item: int, memory: memoryview) -> tuple[int, int]:
    memory[0] = item
    return item, os.getpid()


def test_threads_take_items_only_a_few_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    for (item, _), _memory in workers.in_threads(in_this_process, items()):
        assert len(taken) <= item + 2 + workers._WAITING


def test_an_image_whose_worker_is_killed_says_so(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{number // 100}/{number}" for number in range(2000)])
    (tmp_path / "out").mkdir()
    said = result(f"""
from pathlib import Path
from generator.base.errors import GeneratorError
from generator.image.entries import LayerChunks
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source

LayerChunks.make = lambda self, plan, memory: os.kill(os.getpid(), signal.SIGKILL)
sources, environment = [Source(Path({os.fspath(folder)!r}))], {{"WINSCRATCH_CACHE_MIB": "0"}}
kept = []
try:
    make_layers(sources, LayerOptions(), Path({os.fspath(tmp_path)!r}, "out"), note=print, environment=environment)
except GeneratorError as error:
    kept.append(error)  # with its traceback, which must not keep the others
    print(error)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
""")
    assert said == "image: one of its processes was killed; hint: free memory, and run again\nno child\n"


@pytest.mark.parametrize("refused", ["fork", "pipe"])
def test_a_system_without_more_processes_gets_the_same_layer(refused: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{number // 100}/{number}" for number in range(2000)])
    program = f"""
import errno
from pathlib import Path
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source

def full(*_):
    raise OSError(errno.EAGAIN, "no more")

for name in ("plain", "full"):
    if name == "full":
        os.{refused} = full
        import multiprocessing.connection, socket
        socket.socketpair = full
    made = Path({os.fspath(tmp_path)!r}, name)
    made.mkdir()
    sources, environment = [Source(Path({os.fspath(folder)!r}))], {{"WINSCRATCH_CACHE_MIB": "0"}}
    (blob,) = make_layers(sources, LayerOptions(), made, note=print, environment=environment)
    print(blob.digest)
"""
    first, second = result(program).split()
    assert first == second


# found() returns the content of the folder named by the first argument; several search from *many* entries on.
SEARCH = """
from pathlib import Path
from generator.base.errors import GeneratorError
from generator.base.folders import Folders
from generator.image import sources

def found(many, *exclude):
    sources._MANY = many
    with Folders() as folders:
        entries = sources.collect([sources.Source(Path(sys.argv[1]), "app")], exclude, print, folders)
        folders.close()
        for entry in entries:
            if entry.kind == "file":
                opened = entry.open()
                assert entry.matches(opened)
                os.close(opened)
        return [(*entry[:5], entry.source, *entry[6:]) for entry in entries]

"""


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{top}/{middle}/{name}" for top in "abc" for middle in "dé" for name in "fghi"])
    fill(folder, ["a/empty/", "z", "b/d/deep/er/file"])
    (folder / "b/link").symlink_to("../a/d/f")
    said = result(
        SEARCH
        + """
one, packed, searched = found(1 << 40), sources._packed, os.memfd_create("searched")

def counted(*given):
    os.write(searched, str(os.getpid()).encode() + b" ")
    time.sleep(0.01)
    return packed(*given)

sources._packed = counted
for many in (0, 3, 9):
    assert found(many) == one
for patterns in (["**/g", "a/d"], ["a/*", "!a/d/f"]):
    assert found(3, *patterns) == found(1 << 40, *patterns) != one
names = set(os.pread(searched, 10000, 0).split())
print(len(one), len(names) > 3, str(os.getpid()).encode() in names)
""",
        os.fspath(folder),
    )
    assert said == "40 True False\n"


@pytest.mark.parametrize(
    ("at_fault", "error"),
    [
        ("os.mkfifo(top / 'b/pipe')", "in/b/pipe: a named pipe, which cannot be in a layer; hint: "),
        ("sources._packed = lambda *_: os.kill(os.getpid(), 9)", "image: one of its processes was killed; hint: "),
    ],
)
def test_a_search_by_several_processes_ends_at_the_first_error(at_fault: str, error: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{top}/{name}" for top in "abc" for name in range(9)])
    said = result(
        SEARCH
        + f"""
top = Path(sys.argv[1])
{at_fault}
try:
    found(2)
except GeneratorError as failed:
    print(failed)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
""",
        os.fspath(folder),
    )
    assert error in said
    assert said.endswith("\nno child\n")
