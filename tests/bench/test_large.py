"""The large data set: every place gives one valid command, and choices are spread as they say."""

from collections import Counter
from random import Random

import pytest

from tikiwallet.bench.large import by_zipf, command_at, evenly, total_commands, words_of
from tikiwallet.ids import write_id
from tikiwallet.ledger.transactions import OpenAccount, Transaction
from tikiwallet.ledger.validation import validate

_ACCOUNTS = 50


def test_every_account_is_opened_once_then_funded_once_then_pays() -> None:
    total = total_commands(_ACCOUNTS, 500)
    commands = [command_at(place, _ACCOUNTS) for place in range(total)]
    assert len({command.id for command in commands}) == total
    opened = [c.account for c in commands if isinstance(c, OpenAccount)]
    assert len(set(opened)) == _ACCOUNTS + 1
    posted = [c.postings[0] for c in commands if isinstance(c, Transaction)]
    assert len(posted) == 500
    assert sorted(p.credit for p in posted[:_ACCOUNTS]) == sorted(opened[1:])
    for posting in posted:
        assert posting.debit != posting.credit
        assert {posting.debit, posting.credit} <= set(opened)
    for command in commands:
        validate(command)


def test_the_same_place_gives_the_same_command() -> None:
    assert command_at(321, _ACCOUNTS) == command_at(321, _ACCOUNTS)


def test_fewer_postings_than_accounts_are_refused() -> None:
    with pytest.raises(ValueError, match="each account"):
        total_commands(10, 9)


def test_even_choices_reach_every_account_about_as_often() -> None:
    counts = Counter(evenly(_ACCOUNTS, 50_000, Random(1)))
    assert len(counts) == _ACCOUNTS
    assert max(counts.values()) < 2 * min(counts.values())


def test_zipf_choices_fall_as_one_over_the_rank() -> None:
    counts = [n for _, n in Counter(by_zipf(_ACCOUNTS, 100_000, Random(1))).most_common()]
    assert len(counts) == _ACCOUNTS
    assert 1.8 < counts[0] / counts[1] < 2.2
    assert 8 < counts[0] / counts[9] < 12


@pytest.mark.parametrize("name", ["evenly", "zipf"])
def test_words_complete_the_ids_of_the_wallets(name: str) -> None:
    start, words = words_of(name, _ACCOUNTS, 200)
    wallets = {
        start + words.text[at : at + words.width] for at in range(0, len(words.text), words.width)
    }
    opened = [command_at(place, _ACCOUNTS) for place in range(1, 1 + _ACCOUNTS)]
    assert wallets <= {write_id("w", c.account) for c in opened if isinstance(c, OpenAccount)}
    assert len(wallets) > 20
