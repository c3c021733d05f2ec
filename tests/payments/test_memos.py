"""Memos at rest: every memo fits and comes back, and what stands in the log shows nothing."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tikiwallet import ids
from tikiwallet.identity.sealing import Sealing
from tikiwallet.ledger.transactions import REFERENCE_MAX, Posting, Transaction
from tikiwallet.ledger.validation import validate
from tikiwallet.payments.memos import Memos

ONE, OTHER = ids.derived_id("one"), ids.derived_id("other")


@pytest.fixture(scope="module")
def memos(tmp_path_factory: pytest.TempPathFactory) -> Memos:
    return Memos(Sealing(tmp_path_factory.mktemp("keys")))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=140))
def test_any_memo_comes_back(memos: Memos, memo: str) -> None:
    reference = memos.seal(ONE, memo)
    assert memos.open(ONE, reference) == memo
    assert memos.open(OTHER, reference) is None


@pytest.mark.parametrize("memo", ["x", "lunch", "é" * 140, "晚" * 140, "🍜" * 140, "🍜" * 88])
def test_the_ledger_takes_what_stands_there(memos: Memos, memo: str) -> None:
    reference = memos.seal(ONE, memo)
    assert len(reference) <= REFERENCE_MAX
    assert memo not in reference or len(memo) == 1  # one letter may stand anywhere by chance
    validate(Transaction(ONE, 1, b"", 1, (Posting(1, 2, 3, 4),), reference))
    assert memos.open(ONE, reference) == memo


def test_no_memo(memos: Memos) -> None:
    assert memos.seal(ONE, "") == ""
    assert memos.open(ONE, "") is None
    assert memos.open(ONE, None) is None


@pytest.mark.parametrize("memo", ["lunch", "AAEAAQ==", "\n\x01", "é", "\x7f"])
def test_a_memo_from_before_sealing_stays_as_it_was(memos: Memos, memo: str) -> None:
    assert memos.open(ONE, memo) == memo


@pytest.mark.parametrize(
    "damage",
    [
        lambda letters: letters[:-1],
        lambda letters: letters[:1],
        lambda letters: letters[:8] + ("A" if letters[8] != "A" else "B") + letters[9:],
        lambda letters: letters + "é",
        lambda letters: "\x02" + letters[1:],
        lambda letters: "\x02\ud800",
    ],
)
def test_what_was_altered_is_told_as_none_and_noted(
    memos: Memos, damage: Callable[[str], str]
) -> None:
    with capture_logs() as lines:
        assert memos.open(ONE, damage(memos.seal(ONE, "a secret lunch"))) is None
    [line] = lines
    assert (line["log_level"], line["transaction"]) == ("error", ids.write_uuid(ONE))


def test_the_same_memo_twice_looks_different(memos: Memos) -> None:
    assert memos.seal(ONE, "lunch") != memos.seal(ONE, "lunch")
