-- Debts after conflicts end (docs/offline.md): a wallet that was closed gives and takes nothing any
-- more, and an operator may write a debt off. `ended` says why nobody collects what is not paid.
-- An amount of 0: what was about to be paid when its payee called it off was not paid after all.
ALTER TABLE offline.debt
    ADD COLUMN ended text,
    DROP CONSTRAINT debt_amount_check,
    DROP CONSTRAINT debt_due,
    ADD CONSTRAINT debt_amount CHECK (amount >= 0),
    ADD CONSTRAINT debt_due CHECK (
        (paid < amount AND ended IS NULL) = (next_check_at IS NOT NULL)
    ),
    ADD CONSTRAINT debt_ended CHECK (ended IN ('debtor_closed', 'creditor_closed', 'written_off')),
    ADD CONSTRAINT debt_ended_at_rest CHECK (ended IS NULL OR taking = 0);
