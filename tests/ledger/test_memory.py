"""What a writer remembers and forgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.writers import SGD

from tikiwallet.ledger.memory import AccountsOverlay, Forgotten, Memory, OriginalsOverlay
from tikiwallet.ledger.rules import Original
from tikiwallet.ledger.transactions import State


def state(seq: int) -> State:
    return State(seq, 0, 0, 0, 0, 0, None, SGD, 0, 1)


def original(number: int, expires_at: int = 0) -> Original:
    return Original(number.to_bytes(16, "big"), 1, True, False, expires_at, ())


def test_what_a_load_did_not_bring_does_not_exist() -> None:
    memory = Memory(10)
    memory.add_loaded([1, 2], {1: state(5)})
    assert memory.accounts == {1: state(5), 2: None}


def test_a_load_never_overwrites_what_is_known() -> None:
    memory = Memory(10)
    memory.apply({1: state(7)}, {})
    memory.add_loaded([1], {1: state(6)})
    memory.add_loaded([1], {})
    assert memory.accounts[1] == state(7)


def test_what_was_written_longest_ago_is_forgotten_first() -> None:
    memory = Memory(3)
    for account in (1, 2, 3):
        memory.apply({account: state(1)}, {})
    memory.apply({1: state(2)}, {})
    memory.add_loaded([4], {4: state(1)})
    memory.forget_oldest()
    assert list(memory.accounts) == [3, 1, 4]


def test_nothing_is_forgotten_below_the_bound() -> None:
    memory = Memory(3)
    memory.apply({account: state(1) for account in (1, 2, 3)}, {})
    memory.forget_oldest()
    assert list(memory.accounts) == [1, 2, 3]


def test_originals_are_bounded_too() -> None:
    memory = Memory(8)
    many = [original(number) for number in range(1_500)]
    memory.apply({}, {each.id: each for each in many})
    memory.apply({}, {many[0].id: original(0, expires_at=9)})
    memory.forget_oldest()
    assert len(memory.originals) <= 1_000
    assert memory.originals[many[0].id].expires_at == 9
    assert many[1].id not in memory.originals


@given(
    st.integers(1, 40),
    st.lists(st.one_of(st.integers(0, 60), st.lists(st.integers(0, 60), max_size=20))),
)
def test_it_is_bounded_and_never_wrong(capacity: int, steps: list[int | list[int]]) -> None:
    """Against a dictionary that forgets nothing; numbers are written, lists are loaded."""
    memory = Memory(capacity)
    truth: dict[int, State] = {}
    for step in steps:
        if isinstance(step, int):
            before = truth.get(step)
            truth[step] = state(1 if before is None else before.seq + 1)
            memory.apply({step: truth[step]}, {})
        else:
            asked = [account for account in step if account not in memory.accounts]
            memory.add_loaded(asked, {a: truth[a] for a in asked if a in truth})
        memory.forget_oldest()
        assert len(memory.accounts) <= capacity
        assert all(truth.get(account) == known for account, known in memory.accounts.items())


def test_an_overlay_lies_over_the_memory_and_leaves_it_alone() -> None:
    below: dict[int, State | None] = {1: state(1), 2: None}
    overlay = AccountsOverlay(below)
    overlay[1] = state(2)
    assert (overlay[1], overlay[2]) == (state(2), None)
    assert below == {1: state(1), 2: None}
    assert dict(overlay) == {1: state(2)}


def test_what_was_forgotten_is_not_taken_for_what_does_not_exist() -> None:
    with pytest.raises(Forgotten):
        AccountsOverlay({})[1]
    assert OriginalsOverlay({})[b"i" * 16] is None
