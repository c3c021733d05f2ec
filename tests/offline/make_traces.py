"""Writes traces.json: both machines, step by step.

    python -m tests.offline.make_traces

Keys and signatures are deterministic, so it comes out the same each time.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tests.offline.passing_scripts import PASSING_PAYEES, PASSING_PAYERS
from tests.offline.payee_scripts import PAYEES
from tests.offline.payer_scripts import PAYERS
from tests.offline.scripts import Done, Script

from tikiwallet.offline.exchange.effects import Show
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import read, unbundled

FILE: Final = Path(__file__).with_name("traces.json")
_ABOUT: Final = (
    "Traces for docs/offline.md, written by tests/offline/make_traces.py. A trace begins with "
    "`state`; each step's `event` must give its `effects`, and the state before it with what is in "
    "`changed`: members of objects by name, all else whole. `out_of_turn` ones must fail and "
    "change nothing. A Restarted happens to the state that the last Store came with, or to the "
    "trace's first. Bytes are {hex}, or {message} where they stand among `messages`. What an event "
    "or effect is stands in its `is`."
)
_SCRIPTS: Final[tuple[Callable[[], Script[Any]], ...]] = (
    *PAYERS,
    *PAYEES,
    *PASSING_PAYERS,
    *PASSING_PAYEES,
)


def traces() -> dict[str, Any]:
    """The whole file."""
    named = [(script.__name__.replace("_", " "), script()) for script in _SCRIPTS]
    return {"about": _ABOUT, **told(named)}


def told(scripts: Iterable[tuple[str, Script[Any]]]) -> dict[str, Any]:
    """What happened to each, by its name: the file's `messages` and `traces`."""
    messages: dict[bytes, str] = {}
    traces = [_trace(name, script, messages) for name, script in scripts]
    return {"messages": {name: data.hex() for data, name in messages.items()}, "traces": traces}


def shown() -> Iterator[Show]:
    """Everything that any script shows."""
    for script in _SCRIPTS:
        for done in script().done:
            yield from (one for one in done.effects or () if isinstance(one, Show))


def _trace(name: str, script: Script[Any], messages: dict[bytes, str]) -> dict[str, Any]:
    plain = _Plain(messages)
    steps, before = [], script.first
    for done in script.done:
        steps.append(plain.step(done, before))
        before = done.state
    return {
        "machine": type(script.first).__name__.lower(),
        "name": name,
        "state": plain.of(script.first),
        "steps": steps,
    }


class _Plain:
    """Values as JSON has them. Messages are named by the order in which they turn up."""

    def __init__(self, messages: dict[bytes, str]) -> None:
        self._messages = messages

    def step(self, done: Done[Any], before: object) -> dict[str, Any]:
        event = self.tagged(done.event)
        if done.effects is None:
            return {"event": event, "out_of_turn": True}
        effects = [self.tagged(effect) for effect in done.effects]
        return {"event": event, "effects": effects, "changed": self._changed(before, done.state)}

    def _changed(self, before: Any, after: Any) -> Any:
        if not is_dataclass(after) or type(before) is not type(after):
            return self.of(after)
        return {
            one.name: self._changed(old, new)
            for one in fields(after)
            if (old := getattr(before, one.name)) != (new := getattr(after, one.name))
        }

    def tagged(self, value: object) -> dict[str, Any]:
        return {"is": type(value).__name__, **self.of(value)}

    def of(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return self._bytes(value)
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, tuple):
            return [self.of(item) for item in value]
        if is_dataclass(value):
            return {one.name: self.of(getattr(value, one.name)) for one in fields(value)}
        return value

    def _bytes(self, data: bytes) -> dict[str, str]:
        if data not in self._messages:
            if (kind := _kind(data)) is None:
                return {"hex": data.hex()}
            self._messages[data] = f"{kind} {len(self._messages) + 1}"
        return {"message": self._messages[data]}


def _kind(data: bytes) -> str | None:
    """What a message is; None of other bytes."""
    try:
        return read(data).KIND.name
    except Malformed:
        pass
    try:
        return f"BUNDLE of {len(unbundled(data))}"
    except Malformed:
        return None


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write it with a line for each message and each step, so that changes can be read."""
    whole = traces()
    messages = ",\n".join(
        f"{_line(name)}: {_line(data)}" for name, data in whole["messages"].items()
    )
    told = []
    for trace in whole["traces"]:
        steps = ",\n".join(map(_line, trace.pop("steps")))
        told.append(f'{_line(trace)[:-1]}, "steps": [\n{steps}]}}')
    head = f'{{"about": {_line(whole["about"])},\n"messages": {{\n{messages}}},\n"traces": [\n'
    FILE.write_text(head + ",\n".join(told) + "]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
