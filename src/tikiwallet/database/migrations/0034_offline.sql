-- Offline money: what the server hands out and takes back (docs/offline.md).
--   device      phones and terminals that pay and are paid without a network
--   pass        a signed promise over money that waits in escrow; the row is the intent, then the
--               ledger posts `id`, then the message is signed and kept
--   limits      what passes may be, by currency and tier; where there is no row, defaults hold
--   revocation  passes that nobody should accept any more; `epoch` rises in the order of commits
-- `person` and `wallet` point into other packages' schemas and so have no foreign keys.
CREATE SCHEMA offline;

CREATE TABLE offline.device (
    id bigint PRIMARY KEY CHECK (id > 0),
    person bigint NOT NULL,
    name_sealed bytea NOT NULL,
    kind text NOT NULL,
    protection text NOT NULL,
    tier smallint NOT NULL,
    pseudonym bytea,                   -- of a device that takes payee-locked passes, for good
    created_at timestamptz NOT NULL,
    last_sync_at timestamptz,
    revoked_at timestamptz,
    reason text,
    frozen_at timestamptz,             -- a fork was proven; no new pass until a person has decided
    CONSTRAINT device_kind CHECK (kind IN ('phone', 'terminal')),
    CONSTRAINT device_protection CHECK (protection IN ('pin', 'passkey', 'file')),
    CONSTRAINT device_tier CHECK (tier BETWEEN 0 AND 23),
    CONSTRAINT device_pseudonym CHECK (octet_length(pseudonym) = 8),
    CONSTRAINT device_reason CHECK (reason IN ('lost', 'stolen', 'replaced', 'closed')),
    CONSTRAINT device_revoked CHECK ((revoked_at IS NULL) = (reason IS NULL))
);
CREATE INDEX device_person ON offline.device (person, created_at);
CREATE UNIQUE INDEX device_by_pseudonym ON offline.device (pseudonym) WHERE pseudonym IS NOT NULL;

CREATE TABLE offline.pass (
    id uuid PRIMARY KEY,               -- also of the ledger transaction that reserves the money
    device bigint NOT NULL REFERENCES offline.device,
    person bigint NOT NULL,
    wallet bigint NOT NULL,
    currency smallint NOT NULL,        -- money.Currency.number
    escrow bigint,                     -- the ledger account of its money; null: it only receives
    amount bigint NOT NULL,
    public_key bytea NOT NULL,
    pseudonym bytea NOT NULL,
    message_sealed bytea,              -- the signed PASS; null until it is signed
    hash bytea,                        -- of that message, for good
    start_seq integer NOT NULL DEFAULT 1,
    tier smallint NOT NULL,
    most_per_payment bigint NOT NULL,
    payments smallint NOT NULL,
    hops smallint NOT NULL,
    payee_lock bytea,
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    claim_until timestamptz NOT NULL,
    state text NOT NULL,
    close_seq integer,                 -- these three from a CLOSE that its device signed
    close_cumulative bigint,
    close_message bytea,
    settled bigint NOT NULL DEFAULT 0, -- what has left the escrow to payees
    digest bytea NOT NULL,             -- of what was asked
    created_at timestamptz NOT NULL,
    next_check_at timestamptz,         -- when the worker takes it up; null: never again
    CONSTRAINT pass_amount CHECK (amount BETWEEN 0 AND 4294967295),
    CONSTRAINT pass_escrow CHECK ((amount = 0) = (escrow IS NULL)),
    CONSTRAINT pass_escrow_number CHECK (escrow >= 1048576),  -- below stand the house accounts
    CONSTRAINT pass_key CHECK (octet_length(public_key) = 33),
    CONSTRAINT pass_pseudonym CHECK (octet_length(pseudonym) = 8),
    CONSTRAINT pass_message CHECK (
        (message_sealed IS NULL) = (state IN ('reserving', 'refused')) AND (message_sealed IS NULL) = (hash IS NULL)
    ),
    CONSTRAINT pass_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT pass_start CHECK (start_seq BETWEEN 1 AND 65535),
    CONSTRAINT pass_tier CHECK (tier BETWEEN 0 AND 23),
    CONSTRAINT pass_limits CHECK (
        most_per_payment BETWEEN 0 AND 4294967295 AND payments BETWEEN 1 AND 255
        AND hops BETWEEN 0 AND 3
    ),
    CONSTRAINT pass_lock CHECK (octet_length(payee_lock) = 8),
    CONSTRAINT pass_times CHECK (not_before < expires_at AND expires_at < claim_until),
    CONSTRAINT pass_state CHECK (
        state IN ('reserving', 'refused', 'open', 'closed', 'expired', 'returned')
    ),
    CONSTRAINT pass_close CHECK (num_nulls(close_seq, close_cumulative, close_message) IN (0, 3)),
    CONSTRAINT pass_settled CHECK (settled BETWEEN 0 AND amount),
    CONSTRAINT pass_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT pass_final CHECK ((state IN ('refused', 'returned')) = (next_check_at IS NULL))
);
CREATE UNIQUE INDEX pass_by_key ON offline.pass (public_key) WHERE state <> 'refused';
CREATE UNIQUE INDEX pass_by_escrow ON offline.pass (escrow) WHERE escrow IS NOT NULL;
CREATE UNIQUE INDEX pass_by_hash ON offline.pass (hash) WHERE hash IS NOT NULL;
-- A device has one pass to spend from in a currency, and beside it one that only receives.
CREATE UNIQUE INDEX pass_open ON offline.pass (device, currency, (amount > 0))
    WHERE state IN ('reserving', 'open');
CREATE INDEX pass_person ON offline.pass (person, created_at, id);
CREATE INDEX pass_device ON offline.pass (device);
CREATE INDEX pass_due ON offline.pass (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX pass_held ON offline.pass (person)
    WHERE escrow IS NOT NULL AND next_check_at IS NOT NULL;

-- What a pass is about never changes, nor does a message that was given out; it may be sealed anew.
CREATE FUNCTION offline.keep_pass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.next_check_at IS NULL
            AND (OLD.state, OLD.settled, OLD.close_seq, OLD.hash, OLD.next_check_at)
            IS DISTINCT FROM (NEW.state, NEW.settled, NEW.close_seq, NEW.hash, NEW.next_check_at)
        OR NEW.settled < OLD.settled
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
CREATE TRIGGER keep_pass BEFORE UPDATE ON offline.pass
    FOR EACH ROW EXECUTE FUNCTION offline.keep_pass();

CREATE TABLE offline.limits (
    currency smallint NOT NULL,
    tier smallint NOT NULL,
    most_per_payment bigint NOT NULL,
    most_per_pass bigint NOT NULL,
    payments smallint NOT NULL,
    hours integer NOT NULL,
    hops smallint NOT NULL,
    PRIMARY KEY (currency, tier),
    CONSTRAINT limits_currency CHECK (currency > 0),
    CONSTRAINT limits_tier CHECK (tier BETWEEN 0 AND 23),
    CONSTRAINT limits_amounts CHECK (
        most_per_payment BETWEEN 0 AND most_per_pass AND most_per_pass <= 4294967295
    ),
    CONSTRAINT limits_payments CHECK (payments BETWEEN 1 AND 255),
    CONSTRAINT limits_hours CHECK (hours BETWEEN 1 AND 168),
    CONSTRAINT limits_hops CHECK (hops BETWEEN 0 AND 3)
);

CREATE TABLE offline.revocation (
    epoch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pass uuid NOT NULL UNIQUE REFERENCES offline.pass,
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 40),
    at timestamptz NOT NULL
);

GRANT USAGE ON SCHEMA offline TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE ON offline.device, offline.pass TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON offline.limits TO tikiwallet_app;
GRANT SELECT, INSERT ON offline.revocation TO tikiwallet_app;
