-- A full wallet is paid what it has room for (docs/offline.md). Of a claim's `taking_escrow`, `barred`
-- is not asked of the ledger with this attempt, as the payee's wallet has no room for it; it stays
-- set aside, and is asked for afterwards.
ALTER TABLE offline.claim
    ADD COLUMN barred bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT claim_barred CHECK (
        barred = 0 OR (barred > 0 AND barred < taking_escrow AND taking_wallet + taking_fund = 0)
    );

CREATE OR REPLACE FUNCTION offline.keep_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('credited', 'partial', 'rejected', 'voided') AND OLD.state <> NEW.state
        OR (NEW.paid_escrow, NEW.paid_wallet, NEW.paid_fund) IS DISTINCT FROM
           (OLD.paid_escrow, OLD.paid_wallet, OLD.paid_fund)
            AND (OLD.state <> 'posting'
                OR NEW.paid_escrow NOT IN
                    (OLD.paid_escrow, OLD.paid_escrow + OLD.taking_escrow - OLD.barred)
                OR NEW.paid_wallet NOT IN (OLD.paid_wallet, OLD.paid_wallet + OLD.taking_wallet)
                OR NEW.paid_fund NOT IN (OLD.paid_fund, OLD.paid_fund + OLD.taking_fund))
        OR OLD.state <> 'recorded' AND NEW.into_escrow IS DISTINCT FROM OLD.into_escrow
        OR (OLD.pay_hash, OLD.payer_pass, OLD.payee_pass, OLD.payer, OLD.payee,
            OLD.payee_account, OLD.sequence, OLD.previous, OLD.amount, OLD.cumulative,
            OLD.currency, OLD.request_id, OLD.request_hash, OLD.arrived_at, OLD.hops, OLD.sources)
            IS DISTINCT FROM
           (NEW.pay_hash, NEW.payer_pass, NEW.payee_pass, NEW.payer, NEW.payee,
            NEW.payee_account, NEW.sequence, NEW.previous, NEW.amount, NEW.cumulative,
            NEW.currency, NEW.request_id, NEW.request_hash, NEW.arrived_at, NEW.hops, NEW.sources)
    THEN
        RAISE EXCEPTION 'claim % is decided', encode(OLD.pay_hash, 'hex')
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
