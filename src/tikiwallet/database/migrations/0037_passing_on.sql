-- Received offline money that is passed on (docs/decisions/0016): a pass that may takes in what is
-- paid to it, and payments from it name, as sources, received payments that cover them.
--   pass.received      what its escrow has taken in, beside `amount`
--   claim.hops         by the longest chain of its sources; 0 without
--   claim.sources      the PAYs that it names, by hash
--   claim.into_escrow  the escrow of the payee's pass, which is credited instead of payee_account;
--                      decided with the claim
ALTER TABLE offline.pass
    ADD COLUMN received bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT pass_settled,
    ADD CONSTRAINT pass_received CHECK (received >= 0 AND (received = 0 OR escrow IS NOT NULL)),
    ADD CONSTRAINT pass_settled CHECK (settled BETWEEN 0 AND amount + received);

ALTER TABLE offline.claim
    ADD COLUMN hops smallint NOT NULL DEFAULT 0,
    ADD COLUMN sources bytea[],
    ADD COLUMN into_escrow bigint,
    ADD CONSTRAINT claim_hops CHECK (hops >= 0 AND (hops = 0) = (sources IS NULL)),
    ADD CONSTRAINT claim_sources CHECK (cardinality(sources) BETWEEN 1 AND 4);

CREATE OR REPLACE FUNCTION offline.keep_pass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.next_check_at IS NULL
            AND (OLD.state, OLD.settled, OLD.received, OLD.close_seq, OLD.hash, OLD.next_check_at)
            IS DISTINCT FROM
            (NEW.state, NEW.settled, NEW.received, NEW.close_seq, NEW.hash, NEW.next_check_at)
        OR NEW.settled < OLD.settled
        OR NEW.received < OLD.received
        OR OLD.hash IS NOT NULL AND OLD.hash IS DISTINCT FROM NEW.hash
        OR OLD.close_message IS NOT NULL
            AND (OLD.close_seq, OLD.close_cumulative, OLD.close_message)
            IS DISTINCT FROM (NEW.close_seq, NEW.close_cumulative, NEW.close_message)
        OR (OLD.id, OLD.device, OLD.person, OLD.wallet, OLD.currency, OLD.escrow, OLD.amount,
            OLD.public_key, OLD.pseudonym, OLD.start_seq, OLD.tier, OLD.most_per_payment,
            OLD.payments, OLD.hops, OLD.payee_lock, OLD.not_before, OLD.expires_at,
            OLD.claim_until, OLD.digest)
            IS DISTINCT FROM
           (NEW.id, NEW.device, NEW.person, NEW.wallet, NEW.currency, NEW.escrow, NEW.amount,
            NEW.public_key, NEW.pseudonym, NEW.start_seq, NEW.tier, NEW.most_per_payment,
            NEW.payments, NEW.hops, NEW.payee_lock, NEW.not_before, NEW.expires_at,
            NEW.claim_until, NEW.digest)
    THEN
        RAISE EXCEPTION 'pass % is decided', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION offline.keep_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('credited', 'partial', 'rejected', 'voided') AND OLD.state <> NEW.state
        OR (NEW.paid_escrow, NEW.paid_wallet, NEW.paid_fund) IS DISTINCT FROM
           (OLD.paid_escrow, OLD.paid_wallet, OLD.paid_fund)
            AND (OLD.state <> 'posting'
                OR NEW.paid_escrow NOT IN (OLD.paid_escrow, OLD.paid_escrow + OLD.taking_escrow)
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
