# SPDX-License-Identifier: Apache-2.0
"""Results of workers come in order, from processes and from threads, whatever ends."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.alone import alone, result
from helpers.layer_runs import fill
from helpers.support import HANG, wait_until

from generator.base.errors import GeneratorError
from generator.image import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are made on Linux alone")


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
show_children()
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
show_children()
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


def test_no_worker_outlives_an_error_that_is_kept(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{number // 100}/{number}" for number in range(2000)])
    fill(folder, ["zz", "ZZ"])
    (tmp_path / "out").mkdir()
    said = result(f"""
from pathlib import Path
from generator.base.errors import GeneratorError
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source

sources, environment = [Source(Path({os.fspath(folder)!r}))], {{"WINSCRATCH_CACHE_MIB": "0"}}
kept = []
try:
    make_layers(sources, LayerOptions(), Path({os.fspath(tmp_path)!r}, "out"), note=print, environment=environment)
except GeneratorError as error:
    kept.append(error)
show_children()
""")
    assert said == "no child\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_a_worker_is_forked_comes_in_the_parent_after_it(name: str) -> None:
    said = result(f"""
def arrived(*_):
    raise ValueError("arrived")

signal.signal(signal.{name}, arrived)
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.{name}))
try:
    list(workers.ordered(work, range(200)))
except ValueError as error:
    print(error)
show_children()
""")
    assert said == "arrived\nno child\n"


def test_a_worker_that_is_stopped_as_it_starts_runs_no_handler_of_its_parent() -> None:
    said = result("""
signal.signal(signal.SIGTERM, lambda *_: print("handler", flush=True))
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    list(workers.ordered(work, range(200)))
except workers.EndedError as error:
    print(error)
""")
    assert said == "image: one of its processes was killed; hint: free memory, and run again\n"


def test_a_system_without_more_threads_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(GeneratorError, match=r"^image: can't start new thread; hint: raise the limits"):
        list(workers.in_threads(in_this_process, range(3)))
