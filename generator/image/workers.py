# SPDX-License-Identifier: Apache-2.0
"""Do work on many items at once, and yield the results in the order of the items.

Only one thread of a process executes Python code at a time, so several processes do it faster. They are forks, to
which items need not be sent. A fork copies only one thread, so processes that have more use threads instead.
"""

import collections
import contextlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..base.errors import GeneratorError

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item, memoryview], Result]

_MOST_WORKERS = 8  # more only take memory, since one process hashes and writes
_WAITING = 3  # results of each worker that may wait to be taken
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_NUMBER = 4  # bytes of an item's number
MEMORY = 5 << 18  # bytes for one result; larger ones go through a pipe
_THREADS = Path("/proc/self/task")


class EndedError(GeneratorError):
    """A worker ended before its work was done, for instance since there was too little memory."""

    def __init__(self) -> None:
        """Make the error for the user."""
        super().__init__("image: one of its processes was killed; hint: free memory, and run again")


class _Slot(NamedTuple):
    """Shared memory for one result: what the work writes to, and the bytes of the result's buffers."""

    memory: memoryview
    buffers: memoryview


class _Worker(NamedTuple):
    """A process, the parent's end of its pipe, and the memory that they share."""

    process: BaseProcess
    pipe: Connection
    slots: Sequence[_Slot]


def ordered(work: Work[Item, Result], items: Sequence[Item]) -> Generator[tuple[Result, memoryview], None, None]:
    """Yield ``work(item, memory)`` for each of *items*, with the *memory* that *work* has written to.

    The memory and the bytes of a PickleBuffer in the result are valid until the next result is taken. Raises what
    *work* raises, and EndedError.
    """
    workers: list[_Worker] = []
    try:
        if len(items) > 1 and can_fork():
            _fork(work, items, workers)
        if not workers:
            yield from in_threads(work, items)
            return
        running = workers.copy()
        found: dict[int, tuple[_Worker, memoryview, Any]] = {}
        for number in range(len(items)):
            while number not in found:
                if not running:
                    raise EndedError
                ready = wait([worker.pipe for worker in running])
                for worker in [each for each in running if each.pipe in ready]:
                    _receive(worker, found, running)
            worker, memory, result = found.pop(number)
            if isinstance(result, BaseException):
                raise result
            yield result, memory
            with contextlib.suppress(OSError):  # it has ended, since no item is left
                worker.pipe.send_bytes(b"")
    finally:
        _stop(workers)


def in_threads(work: Work[Item, Result], items: Iterable[Item]) -> Iterator[tuple[Result, memoryview]]:
    """Yield what ordered() yields, and take *items* only as they are needed."""
    threads = min(_cores(), _MOST_WORKERS)
    waiting: collections.deque[tuple[Future[Result], memoryview]] = collections.deque()
    free = [memoryview(bytearray(MEMORY)) for _ in range(threads + _WAITING)]
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            memory = free.pop()
            try:
                waiting.append((pool.submit(work, item, memory), memory))
            except RuntimeError as error:
                raise GeneratorError(f"image: {error}; hint: raise the limits of processes and memory") from error
            if not free:
                yield from _taken(waiting, free)
        while waiting:
            yield from _taken(waiting, free)
    finally:
        pool.shutdown(cancel_futures=True)


def _taken(
    waiting: collections.deque[tuple[Future[Result], memoryview]], free: list[memoryview]
) -> Iterator[tuple[Result, memoryview]]:
    """Yield the first result that waits; then its memory is free."""
    future, memory = waiting.popleft()
    yield future.result(), memory
    free.append(memory)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Let signals wait, in new processes until they handle them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(work: Work[Item, Any], items: Sequence[Item], workers: list[_Worker]) -> None:
    """Add processes that share the work to *workers*, or none if the system has no memory or processes for them."""
    context = multiprocessing.get_context("fork")
    try:
        with os.fdopen(os.memfd_create("items"), "w+b", buffering=0) as queue:
            # All processes share the position in it, so each item is read once: read(2).
            queue.write(b"".join(number.to_bytes(_NUMBER, "little") for number in range(len(items))))
            queue.seek(0)
            for _ in range(min(_cores(), _MOST_WORKERS, len(items))):
                slots = [_Slot(*(memoryview(mmap.mmap(-1, MEMORY)) for _ in range(2))) for _ in range(_WAITING)]
                ours, theirs = context.Pipe()
                # What is open in a worker keeps a pipe open, so the workers would not see that the parent has ended.
                others = [ours, *(worker.pipe for worker in workers)]
                arguments = (work, items, queue, theirs, slots, others)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                with _blocked():
                    workers.append(_Worker(process, ours, slots))
                    process.start()
                    theirs.close()
    except OSError:
        _stop(workers)
        workers.clear()


def _stop(workers: Sequence[_Worker]) -> None:
    if not workers:
        return
    with _blocked():
        for worker in workers:
            worker.pipe.close()
            if worker.process.pid is not None:
                worker.process.terminate()
                worker.process.join()


def _serve(
    work: Work[Item, Any],
    items: Sequence[Item],
    queue: FileIO,
    pipe: Connection,
    slots: Sequence[_Slot],
    others: Sequence[Connection],
) -> None:
    """Take items from *queue* while one of *slots* is free, and send their results: what a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for other in others:
        other.close()
    with contextlib.suppress(EOFError, OSError):  # the parent has ended
        for taken in itertools.count():
            if taken >= _WAITING:
                pipe.recv_bytes()
            if not (data := queue.read(_NUMBER)):
                break
            number, slot = int.from_bytes(data, "little"), taken % _WAITING
            try:
                result = work(items[number], slots[slot].memory)
            except BaseException as error:  # the parent raises it
                result = error
            _send(pipe, number, slot, result, slots[slot].buffers)
        pipe.send(None)


def _send(pipe: Connection, number: int, slot: int, result: object, memory: memoryview) -> None:
    """Send the result of an item, the bytes of its buffers through *memory* if they fit."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(result, 5, buffer_callback=buffers.append)
    ends = list(itertools.accumulate(buffer.raw().nbytes for buffer in buffers))
    if ends and ends[-1] > len(memory):
        ends, data = [], pickle.dumps(result, 5)
    for start, end, buffer in zip([0, *ends], ends, buffers, strict=False):
        memory[start:end] = buffer.raw()
    pipe.send((number, slot, data, ends))


def _receive(worker: _Worker, found: dict[int, tuple[_Worker, memoryview, Any]], running: list[_Worker]) -> None:
    """Add the next result of a worker to *found*, or remove it from *running* if it has no more; raises EndedError."""
    try:
        received = worker.pipe.recv()
    except (EOFError, OSError) as error:
        raise EndedError from error
    if received is None:
        running.remove(worker)
        return
    number, slot, data, ends = received
    memory, shared = worker.slots[slot]
    buffers = [shared[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    found[number] = worker, memory, pickle.loads(data, buffers=buffers)  # noqa: S301 - from our own process


def can_fork() -> bool:
    """Return whether this process is on Linux, has several cores and one thread, those of libraries included."""
    if not hasattr(os, "memfd_create") or multiprocessing.current_process().daemon or _cores() == 1:
        return False
    try:
        return len([*_THREADS.iterdir()]) == 1
    except OSError:
        return False


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
