-- Settlement of offline payments (docs/offline.md): signed messages as they arrived, and what became
-- of them.
--   claim     one signed PAY; `state` follows the money:
--               recorded  the payer brought it, the payee has not claimed it yet
--               posting   decided: the ledger posts `taking_*` under the id of `attempt`
--               open      paid in part; more is looked for at next_check_at
--               credited, partial   all of it, or all that the rules give, has been paid
--               rejected, voided, lapsed   nothing is paid; `reason` says why
--   void      requests that their payee has called off for good
--   conflict  two messages that one key never signs if its store is never set back
--   fund_cap  the most that the guarantee fund pays by scope; where there is no row, defaults hold
--   fund_use  what the guarantee fund paid or has promised
--   debt      what somebody owes after a conflict; paid off from the debtor's wallet
-- A claim of a pass is decided by whoever holds that pass's row locked.
CREATE TABLE offline.claim (
    pay_hash bytea PRIMARY KEY,
    payer_pass uuid NOT NULL,
    payee_pass uuid NOT NULL,
    payer bigint NOT NULL,
    payee bigint NOT NULL,
    payee_account bigint NOT NULL,     -- the wallet that is credited
    sequence integer NOT NULL,
    previous bytea NOT NULL,
    amount bigint NOT NULL,
    cumulative bigint NOT NULL,
    currency smallint NOT NULL,
    request_id bytea NOT NULL,
    request_hash bytea NOT NULL,
    invite_sealed bytea NOT NULL,      -- the messages as they were signed
    pay_sealed bytea NOT NULL,
    receipt bytea,
    state text NOT NULL,
    reason text,
    claimed_at timestamptz,            -- when the payee asked for it, by RECEIPT or in person
    contested_at timestamptz,          -- when the escrow turned out not to suffice
    attempt integer NOT NULL DEFAULT 0,-- of posting; part of the transaction's id
    paid_escrow bigint NOT NULL DEFAULT 0,
    paid_wallet bigint NOT NULL DEFAULT 0,
    paid_fund bigint NOT NULL DEFAULT 0,
    taking_escrow bigint NOT NULL DEFAULT 0,
    taking_wallet bigint NOT NULL DEFAULT 0,
    taking_fund bigint NOT NULL DEFAULT 0,
    sent_at timestamptz NOT NULL,      -- what the payer's device took the time for
    arrived_at timestamptz NOT NULL,
    settled_at timestamptz,
    next_check_at timestamptz,         -- when the worker takes it up
    CONSTRAINT claim_hash CHECK (octet_length(pay_hash) = 32),
    CONSTRAINT claim_amount CHECK (amount BETWEEN 0 AND cumulative AND cumulative <= 4294967295),
    CONSTRAINT claim_state CHECK (
        state IN ('recorded', 'posting', 'open', 'credited', 'partial', 'rejected', 'voided',
                  'lapsed')
    ),
    CONSTRAINT claim_reason CHECK ((state IN ('rejected', 'voided')) = (reason IS NOT NULL)),
    CONSTRAINT claim_parts CHECK (
        least(paid_escrow, paid_wallet, paid_fund, taking_escrow, taking_wallet, taking_fund) >= 0
    ),
    CONSTRAINT claim_whole CHECK (
        paid_escrow + paid_wallet + paid_fund + taking_escrow + taking_wallet + taking_fund
            <= amount
    ),
    CONSTRAINT claim_taking CHECK (
        (state = 'posting') = (taking_escrow + taking_wallet + taking_fund > 0)
    ),
    CONSTRAINT claim_credited CHECK (
        state <> 'credited' OR paid_escrow + paid_wallet + paid_fund = amount
    ),
    CONSTRAINT claim_unpaid CHECK (
        state NOT IN ('recorded', 'rejected', 'voided', 'lapsed')
            OR paid_escrow + paid_wallet + paid_fund = 0
    ),
    CONSTRAINT claim_due CHECK ((state IN ('posting', 'open')) = (next_check_at IS NOT NULL))
);
CREATE INDEX claim_of_pass ON offline.claim (payer_pass, sequence);
CREATE INDEX claim_payer ON offline.claim (payer, arrived_at, pay_hash);
CREATE INDEX claim_payee ON offline.claim (payee, arrived_at, pay_hash);
CREATE INDEX claim_due ON offline.claim (next_check_at) WHERE next_check_at IS NOT NULL;
-- A request is paid once, whoever signed payments for it.
CREATE UNIQUE INDEX claim_request ON offline.claim (payee_pass, request_id)
    WHERE state IN ('posting', 'open', 'credited', 'partial');
CREATE INDEX claim_recorded ON offline.claim (payee_pass, request_id) WHERE state = 'recorded';

-- What a claim is about never changes, nor does a final state; what was paid only grows.
CREATE FUNCTION offline.keep_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('credited', 'partial', 'rejected', 'voided') AND OLD.state <> NEW.state
        OR (NEW.paid_escrow, NEW.paid_wallet, NEW.paid_fund) IS DISTINCT FROM
           (OLD.paid_escrow, OLD.paid_wallet, OLD.paid_fund)
            AND (OLD.state <> 'posting'
                OR NEW.paid_escrow NOT IN (OLD.paid_escrow, OLD.paid_escrow + OLD.taking_escrow)
                OR NEW.paid_wallet NOT IN (OLD.paid_wallet, OLD.paid_wallet + OLD.taking_wallet)
                OR NEW.paid_fund NOT IN (OLD.paid_fund, OLD.paid_fund + OLD.taking_fund))
        OR (OLD.pay_hash, OLD.payer_pass, OLD.payee_pass, OLD.payer, OLD.payee,
            OLD.payee_account, OLD.sequence, OLD.previous, OLD.amount, OLD.cumulative, OLD.currency, OLD.request_id,
            OLD.request_hash, OLD.arrived_at)
            IS DISTINCT FROM
           (NEW.pay_hash, NEW.payer_pass, NEW.payee_pass, NEW.payer, NEW.payee,
            NEW.payee_account, NEW.sequence, NEW.previous, NEW.amount, NEW.cumulative, NEW.currency, NEW.request_id,
            NEW.request_hash, NEW.arrived_at)
    THEN
        RAISE EXCEPTION 'claim % is decided', encode(OLD.pay_hash, 'hex')
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_claim BEFORE UPDATE ON offline.claim
    FOR EACH ROW EXECUTE FUNCTION offline.keep_claim();

CREATE TABLE offline.void (
    hash bytea PRIMARY KEY,            -- the message's
    payee_pass uuid NOT NULL,
    request_id bytea NOT NULL,
    message bytea NOT NULL,
    invite_sealed bytea NOT NULL,
    arrived_at timestamptz NOT NULL,
    UNIQUE (payee_pass, request_id),
    CONSTRAINT void_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT void_request CHECK (octet_length(request_id) = 16)
);

CREATE SEQUENCE offline.conflict_number;
CREATE TABLE offline.conflict (
    id bigint PRIMARY KEY,             -- drawn before, as the messages are sealed for it
    kind text NOT NULL,
    pass uuid NOT NULL,                -- whose key signed both
    device bigint NOT NULL,
    person bigint NOT NULL,
    first_hash bytea NOT NULL,
    second_hash bytea NOT NULL,
    messages_sealed bytea NOT NULL,    -- the proof: a bundle, in the order of `evidence.py`
    keys bytea NOT NULL,               -- the list of issuer keys of that time, signed by the root
    found_at timestamptz NOT NULL,
    UNIQUE (first_hash, second_hash),
    CONSTRAINT conflict_kind CHECK (kind IN ('sequence', 'sum', 'chain', 'close', 'void')),
    CONSTRAINT conflict_two CHECK (first_hash <> second_hash)
);
CREATE INDEX conflict_pass ON offline.conflict (pass);

CREATE TABLE offline.fund_cap (
    currency smallint NOT NULL,
    scope text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (currency, scope),
    CONSTRAINT fund_cap_scope CHECK (scope IN ('payer', 'payee', 'pass', 'day', 'fund'))
);

CREATE TABLE offline.fund_use (
    pay_hash bytea NOT NULL REFERENCES offline.claim,
    attempt integer NOT NULL,
    payer_pass uuid NOT NULL,
    payer bigint NOT NULL,
    payee bigint NOT NULL,
    currency smallint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (pay_hash, attempt)
);
CREATE INDEX fund_use_at ON offline.fund_use (currency, at);
CREATE INDEX fund_use_pass ON offline.fund_use (payer_pass);

CREATE TABLE offline.debt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pay_hash bytea NOT NULL REFERENCES offline.claim,
    debtor bigint NOT NULL,
    creditor bigint,                   -- null: the guarantee fund
    debtor_wallet bigint NOT NULL,     -- ledger accounts
    creditor_account bigint NOT NULL,
    currency smallint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    paid bigint NOT NULL DEFAULT 0,
    taking bigint NOT NULL DEFAULT 0,  -- the ledger moves it under the id of `attempt`
    attempt integer NOT NULL DEFAULT 0,
    since timestamptz NOT NULL,
    next_check_at timestamptz,         -- null: paid
    UNIQUE NULLS NOT DISTINCT (pay_hash, creditor),
    CONSTRAINT debt_paid CHECK (paid >= 0 AND taking >= 0 AND paid + taking <= amount),
    CONSTRAINT debt_due CHECK ((paid < amount) = (next_check_at IS NOT NULL))
);
CREATE INDEX debt_due ON offline.debt (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX debt_debtor ON offline.debt (debtor);

GRANT SELECT, INSERT, UPDATE ON offline.claim, offline.debt TO tikiwallet_app;
GRANT SELECT, INSERT ON offline.void, offline.conflict TO tikiwallet_app;
GRANT UPDATE (invite_sealed) ON offline.void TO tikiwallet_app;
GRANT UPDATE (messages_sealed) ON offline.conflict TO tikiwallet_app;
GRANT USAGE ON SEQUENCE offline.conflict_number TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON offline.fund_cap TO tikiwallet_app;
GRANT SELECT, INSERT, DELETE ON offline.fund_use TO tikiwallet_app;
