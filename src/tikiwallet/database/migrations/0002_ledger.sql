-- The ledger. The writer sends one stream of rows per batch with one COPY into ledger.journal, which
-- routes each row to the table it belongs to; one statement, one commit, one round trip.
--   log        one row per posting (or refusal, account change, epoch), numbered without gaps
--   entry      one side of a log row, with the state of its account after it
--   remainder  what is left of a hold or a reversible transaction, after each change
-- Rows are only ever added: triggers refuse everything else, to everyone.
CREATE SCHEMA ledger;

CREATE TABLE ledger.journal (
    stream smallint NOT NULL,          -- 1 log, 2 entry, 3 remainder
    n bigint NOT NULL,                 -- log number
    at timestamptz NOT NULL,           -- the writer's clock; never falls along the log
    amount bigint NOT NULL,            -- log: moved or held; entry: change of what is available; remainder: left
    -- log
    transaction_id uuid,
    digest bytea,                      -- leg 0: of the request as received
    debit bigint,
    credit bigint,
    cause uuid,                        -- the hold captured or voided, the transaction reversed
    expires_at timestamptz,            -- leg 0 of a hold
    epoch bigint,                      -- epoch rows
    reference text,
    shard smallint,                    -- the ledger partition; there is one
    leg smallint,
    legs smallint,                     -- leg 0: how many there are
    type smallint,
    kind smallint,
    result smallint,
    currency smallint,
    -- entry
    flags smallint,
    account_type smallint,
    account bigint,
    seq bigint,
    posted_debits bigint,
    posted_credits bigint,
    pending_debits bigint,
    pending_credits bigint,
    floor bigint,
    ceiling bigint
) PARTITION BY LIST (stream);

CREATE TABLE ledger.log PARTITION OF ledger.journal (
    CONSTRAINT log_whole CHECK (
        num_nulls(transaction_id, shard, leg, type, kind, result) = 0
        AND leg >= 0
        AND (leg = 0) = (digest IS NOT NULL)
        AND (leg = 0) = (legs IS NOT NULL)
    ),
    CONSTRAINT log_amount CHECK (amount BETWEEN 0 AND 9007199254740991 AND (amount > 0) = (type <= 4)),
    CONSTRAINT log_sides CHECK (type > 4 OR num_nulls(debit, credit, currency) = 0 AND debit <> credit),
    CONSTRAINT log_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT log_result CHECK ((result = 0) = (type <> 6)),
    CONSTRAINT log_reference CHECK (char_length(reference) <= 512),
    CONSTRAINT log_pkey PRIMARY KEY (shard, n)
) FOR VALUES IN (1);
CREATE UNIQUE INDEX log_transaction ON ledger.log (transaction_id, leg);
CREATE INDEX log_expiry ON ledger.log (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX log_cause ON ledger.log (cause) WHERE cause IS NOT NULL;

CREATE TABLE ledger.entry PARTITION OF ledger.journal (
    CONSTRAINT entry_whole CHECK (
        num_nulls(account, seq, type, posted_debits, posted_credits, pending_debits, pending_credits,
                  floor, currency, flags, account_type) = 0
    ),
    CONSTRAINT entry_totals CHECK (
        posted_debits BETWEEN 0 AND 4611686018427387904
        AND posted_credits BETWEEN 0 AND 4611686018427387904
        AND pending_debits BETWEEN 0 AND 4611686018427387904
        AND pending_credits BETWEEN 0 AND 4611686018427387904
        AND floor BETWEEN 0 AND 4611686018427387904
        AND ceiling BETWEEN 0 AND 4611686018427387904
    ),
    -- A row that takes from what is available leaves the account above its floor.
    CONSTRAINT entry_floor CHECK (
        amount >= 0 OR posted_credits - posted_debits - pending_debits >= -floor
    ),
    -- A row that adds, or reserves room to add, leaves the account below its ceiling.
    CONSTRAINT entry_ceiling CHECK (
        ceiling IS NULL
        OR NOT (type = 1 AND amount > 0 OR type = 2 AND amount = 0)
        OR posted_credits - posted_debits + pending_credits <= ceiling
    ),
    CONSTRAINT entry_pkey PRIMARY KEY (account, seq)
) FOR VALUES IN (2);

CREATE TABLE ledger.remainder PARTITION OF ledger.journal (
    CONSTRAINT remainder_whole CHECK (num_nulls(transaction_id, leg, seq) = 0),
    CONSTRAINT remainder_left CHECK (amount >= 0),
    CONSTRAINT remainder_pkey PRIMARY KEY (transaction_id, leg, seq)
) FOR VALUES IN (3);

CREATE TABLE ledger.lease (
    shard smallint PRIMARY KEY,
    epoch bigint NOT NULL,
    beat bigint NOT NULL,              -- rises with each renewal
    holder text NOT NULL,              -- host and process, for people
    backend integer NOT NULL           -- the server process a standby may end
);
INSERT INTO ledger.lease VALUES (0, 0, 0, '', 0);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.journal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.log
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.remainder
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT USAGE ON SCHEMA ledger TO tikiwallet_ledger, tikiwallet_app;
GRANT SELECT, INSERT ON ledger.journal TO tikiwallet_ledger;
GRANT SELECT ON ledger.log, ledger.entry, ledger.remainder TO tikiwallet_ledger;
GRANT SELECT, UPDATE ON ledger.lease TO tikiwallet_ledger;
GRANT SELECT ON ledger.journal, ledger.log, ledger.entry, ledger.remainder, ledger.lease
    TO tikiwallet_app;
