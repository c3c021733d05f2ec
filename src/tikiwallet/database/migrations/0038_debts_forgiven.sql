-- What an operator wrote off of a debt stays forgiven (docs/offline.md): when the guarantee fund pays
-- more for the same payment, only that is owed anew. `told`: of so much the debtor has been told.
ALTER TABLE offline.debt
    ADD COLUMN forgiven bigint NOT NULL DEFAULT 0,
    ADD COLUMN told bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT debt_paid,
    DROP CONSTRAINT debt_due;

UPDATE offline.debt SET forgiven = amount - paid WHERE ended = 'written_off';
UPDATE offline.debt SET told = amount WHERE next_check_at IS NULL;

ALTER TABLE offline.debt
    ADD CONSTRAINT debt_paid CHECK (
        paid >= 0 AND taking >= 0 AND forgiven >= 0 AND paid + taking + forgiven <= amount
    ),
    ADD CONSTRAINT debt_due CHECK (
        (paid + forgiven < amount AND ended IS NULL) = (next_check_at IS NOT NULL)
    );
