"""Both machines, step by step, and the file of it that other implementations run."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.offline import make_traces
from tests.offline.passing_scripts import PASSING_PAYEES, PASSING_PAYERS
from tests.offline.payee_scripts import PAYEES
from tests.offline.payer_scripts import PAYERS

from tikiwallet.offline.exchange.keeping import Spoilt, kept, written
from tikiwallet.offline.exchange.payee import Payee
from tikiwallet.offline.exchange.payer import Payer
from tikiwallet.offline.refusals import Refusal


@pytest.mark.parametrize("script", [*PAYERS, *PASSING_PAYERS], ids=lambda script: script.__name__)
def test_a_payer(script: Callable[[], Any]) -> None:
    for done in script().done:
        assert kept(Payer, written(done.state)) == done.state


@pytest.mark.parametrize("script", [*PAYEES, *PASSING_PAYEES], ids=lambda script: script.__name__)
def test_a_payee(script: Callable[[], Any]) -> None:
    for done in script().done:
        assert kept(Payee, written(done.state)) == done.state


def test_every_refusal_is_met() -> None:
    met = {show.refusal for show in make_traces.shown()}
    assert met - {None} == set(Refusal)


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    sentences = {refusal.sentence for refusal in Refusal}
    assert len(sentences) == len(Refusal)
    assert all(sentence.endswith(".") for sentence in sentences)


def test_the_file_holds_what_they_do() -> None:
    assert json.loads(make_traces.FILE.read_text(encoding="utf-8")) == make_traces.traces()


def test_a_purse_of_before_it_could_receive_is_read() -> None:
    for done in PAYERS[0]().done:
        plain = json.loads(written(done.state))
        assert plain["purse"].pop("received") == []
        assert kept(Payer, json.dumps(plain).encode()) == done.state


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"known":1}', b"\xff"])
def test_a_spoilt_state_is_found(data: bytes) -> None:
    with pytest.raises(Spoilt):
        kept(Payer, data)
