"""A batch on its way through the rules into the COPY."""

from collections.abc import Iterator

from tikiwallet import logs
from tikiwallet.ledger import journal
from tikiwallet.ledger.intake import OVERLOADED, Ask
from tikiwallet.ledger.memory import AccountsOverlay, Forgotten, OriginalsOverlay
from tikiwallet.ledger.rules import decide, original_of
from tikiwallet.ledger.term import Term
from tikiwallet.ledger.transactions import Outcome, Result

_CHUNK_ROWS = 256  # rows packed between two writes to the socket
_log = logs.get(__name__)


class Batch:
    """A batch on its way through the rules into the COPY: rows, overlay, outcomes."""

    def __init__(self, term: Term, asks: list[Ask]) -> None:
        self.n = term.next_n
        self.at = term.now_us()
        self.accounts = AccountsOverlay(term.memory.accounts)
        self.originals = OriginalsOverlay(term.memory.originals)
        self.outcomes: list[tuple[Ask, Outcome]] = []
        self.again: list[Ask] = []
        self._asks = asks
        self._shard = term.options.shard

    def rows(self) -> Iterator[bytes]:
        """The binary COPY stream; the rules run as it is drawn, so that the server works on the
        first rows while the last are still being decided."""
        out = [journal.HEADER]
        for ask in self._asks:
            self._decide(ask, out)
            if len(out) >= _CHUNK_ROWS * 4:
                yield b"".join(out)
                out = []
        out.append(journal.TRAILER)
        yield b"".join(out)

    def _decide(self, ask: Ask, out: list[bytes]) -> None:
        """Let the rules decide on one command, add its rows and lay its states over the others."""
        command, first = ask.command, self.n
        if ask.rejected:
            self._refuse(ask, Result.REJECTED, 0, out)
            return
        mark = len(out)
        try:
            decision = decide(command, self.accounts, self.originals, self.at)
            if not decision.result:
                after = journal.write_decision(
                    out, decision, first, self.at, command.id, ask.digest,
                    getattr(command, "reference", ""), self._shard,
                )  # fmt: skip
        except Forgotten:  # since it was prepared: load it again
            self.again.append(ask)
            return
        except Exception:
            _log.exception("the rules met a bug", command=type(command).__name__)
            del out[mark:]
            self._refuse(ask, Result.REJECTED, 0, out)
            return
        result = decision.result
        if not result:  # POSTED
            self.n = after
            self.accounts.update(decision.accounts)
            if decision.original is not None:
                self.originals[decision.original.id] = decision.original
            payer = decision.accounts[decision.legs[0].debit]
            self.outcomes.append((ask, Outcome(0, first, self.at, payer)))
        elif result == Result.UNKNOWN_TRANSACTION and self._was_forgotten(ask):
            self.again.append(ask)
        elif result == Result.OVERLOADED:
            self.outcomes.append((ask, OVERLOADED))
        else:
            self._refuse(ask, Result(result), decision.kind, out)

    def _was_forgotten(self, ask: Ask) -> bool:
        """Whether its original was there when it was prepared and is in memory no longer."""
        id_ = original_of(ask.command)
        return not ask.original_missing and id_ is not None and self.originals[id_] is None

    def _refuse(self, ask: Ask, result: Result, kind: int, out: list[bytes]) -> None:
        first = self.n
        self.n = journal.write_refusal(
            out, result, kind, first, self.at, ask.command.id, ask.digest, self._shard
        )
        self.outcomes.append((ask, Outcome(result, first, self.at)))
