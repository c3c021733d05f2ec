"""`--headless`: one JSON object a line in, one a line out, for programs that work a terminal.

In: `{"do": COMMAND, ...its arguments, "tag": anything}`. Out: `{"event": EVENT, ...}`. A command is
answered by `done`, with its `result` if it has one, or by `problem` with a `text`, both with its
`tag`; the other events come when they happen. docs/terminal.md lists them.
"""

import asyncio
import contextlib
import inspect
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from tikiwallet.terminal.device import CannotDo, Terminal

LINE_MOST: Final = 16 * 1024
_COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    method.__name__: method
    for method in (
        Terminal.status,
        Terminal.receipts,
        Terminal.proofs,
        Terminal.call,
        Terminal.phones_at,
        Terminal.open_network,
        Terminal.close_network,
        Terminal.agree,
        Terminal.hang_up,
        Terminal.ask,
        Terminal.cancel,
        Terminal.number,
        Terminal.confirm,
        Terminal.set_aside,
        Terminal.sign_in,
        Terminal.code,
        Terminal.load,
        Terminal.end_pass,
        Terminal.replace,
        Terminal.sync,
    )
}
# These wait for a server, or for a radio; people go on paying meanwhile.
_SLOW: Final = frozenset(
    {"sign_in", "code", "load", "replace", "sync", "open_network", "close_network"}
)


def say(event: str, /, **facts: Any) -> None:
    """One event, one line."""
    sys.stdout.write(json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def read_command(line: bytes) -> tuple[str, dict[str, Any], Any]:
    """The command in a line, its arguments, and its tag. Raises `CannotDo`."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise CannotDo("A line is one JSON object.") from None
    if not isinstance(given, dict):
        raise CannotDo("A line is one JSON object.")
    tag = given.pop("tag", None)
    name = given.pop("do", None)
    if not isinstance(name, str) or name not in _COMMANDS:
        raise CannotDo(f"There is no such command; there are {', '.join(_COMMANDS)}.")
    return name, _arguments(name, given), tag


def _arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    method = _COMMANDS[name]
    try:
        inspect.signature(method).bind(None, **given)
        hints = get_type_hints(method)
        return {key: msgspec.convert(value, hints[key]) for key, value in given.items()}
    except (TypeError, msgspec.ValidationError) as error:
        raise CannotDo(f"The arguments of {name} do not fit: {error}") from None


async def run(folder: Path, *, server: str | None, recover: bool) -> None:
    """Until standard input ends. Raises what ends a terminal's work."""
    terminal = await Terminal.open(folder, server=server, recover=recover, tell=say)
    try:
        failure = asyncio.ensure_future(terminal.failure())
        obeying = asyncio.ensure_future(_obey(terminal, _lines()))
        done, _ = await asyncio.wait({failure, obeying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (failure, obeying):
            task.cancel()
        for task in done:
            task.result()
    finally:
        await terminal.close()


def _lines() -> "asyncio.Queue[bytes]":
    """Lines of standard input, which may be a file, a pipe or a terminal; an empty one at its end.
    A thread reads them, as not all of these can be waited for."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        line = b"\n"
        while line:
            line = sys.stdin.buffer.readline(LINE_MOST)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=read, daemon=True).start()
    return lines


async def _obey(terminal: Terminal, lines: "asyncio.Queue[bytes]") -> None:
    slow: set[asyncio.Task[None]] = set()
    while line := await lines.get():
        if not line.strip():
            continue
        try:
            name, arguments, tag = read_command(line)
        except CannotDo as cannot:
            say("problem", text=str(cannot))
            continue
        work = _do(terminal, name, arguments, tag)
        if name in _SLOW:
            task = asyncio.create_task(work)
            slow.add(task)
            task.add_done_callback(slow.discard)
        else:
            await work
    for task in slow:
        task.cancel()


async def _do(terminal: Terminal, name: str, arguments: dict[str, Any], tag: Any) -> None:
    marked = {} if tag is None else {"tag": tag}
    try:
        result = getattr(terminal, name)(**arguments)
        if inspect.isawaitable(result):
            result = await result
    except CannotDo as cannot:
        say("problem", text=str(cannot), do=name, **marked)
    else:
        say("done", do=name, **({} if result is None else {"result": result}), **marked)
