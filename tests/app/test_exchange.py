"""The machines of both sides of an offline payment in the browser: each step is Python's."""

import json
from random import Random
from typing import Any, Final

from tests.app.wire import Wire
from tests.offline.make_traces import FILE, told
from tests.offline.odd_chains import SHOWN, at_a_till
from tests.offline.walks import STEPS, walk

SEED: Final = 20_261_121


def test_it_goes_the_traces(wire: Wire) -> None:
    met = _agree(wire, json.loads(FILE.read_text(encoding="utf-8")))
    assert met > 400


def test_it_goes_where_python_goes(wire: Wire) -> None:
    chance = Random(SEED)
    sides = [(f"walk {number}", side) for number in range(25) for side in walk(chance)]
    assert _agree(wire, told(sides)) == 25 * STEPS


def test_it_judges_what_is_passed_on_as_python_does(wire: Wire) -> None:
    chance = Random(SEED)
    tills = [(f"till {number}", at_a_till(chance)) for number in range(6)]
    assert _agree(wire, told(tills)) > 6 * SHOWN


def _agree(wire: Wire, whole: dict[str, Any]) -> int:
    """How many steps the browser made as they are told."""
    messages = {name: {"hex": data} for name, data in whole["messages"].items()}
    steps = 0
    for trace in _resolved(whole["traces"], messages):
        told, state = trace["steps"], trace["state"]
        made = wire("walked", trace["machine"], state, [step["event"] for step in told])
        for step, found in zip(told, made, strict=True):
            assert (found is None) == step.get("out_of_turn", False), (trace["name"], step)
            if found:
                wanted = _with(state, step["changed"])
                assert found["effects"] == step["effects"], (trace["name"], step)
                assert {**state, **found["changed"]} == wanted, (trace["name"], step)
                state = wanted
        steps += len(told)
    return steps


def _with(before: Any, changed: Any) -> Any:
    """`before` with its members changed; what is no object, or was none, is whole."""
    if not isinstance(changed, dict) or not isinstance(before, dict) or "hex" in changed:
        return changed
    return {**before, **{name: _with(before[name], item) for name, item in changed.items()}}


def _resolved(value: Any, messages: dict[str, Any]) -> Any:
    match value:
        case {"message": name}:
            return messages[name]
        case dict():
            return {key: _resolved(item, messages) for key, item in value.items()}
        case list():
            return [_resolved(item, messages) for item in value]
        case _:
            return value
