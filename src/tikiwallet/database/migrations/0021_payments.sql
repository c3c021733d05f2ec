-- Top-ups: intents that money follows by id. The row is committed first, then the card is charged,
-- then the ledger posts `id`; `status` follows. Whatever stands between two steps is found by
-- `next_check_at` and taken up again.
CREATE SCHEMA payments;

CREATE TABLE payments.topup (
    id uuid PRIMARY KEY,               -- the transaction's id, and the charge's at the gateway
    person bigint NOT NULL,
    wallet bigint NOT NULL,
    amount bigint NOT NULL,
    currency smallint NOT NULL,
    method text NOT NULL,
    digest bytea NOT NULL,             -- of the request as received
    status text NOT NULL,
    failure_code text,
    action_url text,                   -- where the person answers the card's challenge
    -- What the first request was told, and so what each repetition of it is told.
    answer_status text,
    answer_failure_code text,
    answer_action_url text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,   -- the time limit of the present status
    next_check_at timestamptz,         -- null when the status is final
    claimed_until timestamptz NOT NULL,-- whoever works on it has until then
    attempts integer NOT NULL DEFAULT 0,
    CONSTRAINT topup_amount CHECK (amount BETWEEN 1 AND 9007199254740991),
    CONSTRAINT topup_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT topup_method CHECK (char_length(method) BETWEEN 1 AND 100),
    CONSTRAINT topup_status CHECK (
        status IN ('processing', 'requires_action', 'succeeded', 'failed')
    ),
    CONSTRAINT topup_failure CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT topup_final CHECK ((status IN ('succeeded', 'failed')) = (next_check_at IS NULL)),
    CONSTRAINT topup_answered CHECK (next_check_at IS NOT NULL OR answer_status IS NOT NULL)
);
CREATE INDEX topup_due ON payments.topup (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX topup_person ON payments.topup (person, created_at);

-- A final status stays, and what a row is about never changes.
CREATE FUNCTION payments.keep_topup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.next_check_at IS NULL OR OLD.answer_status IS DISTINCT FROM NEW.answer_status
            AND OLD.answer_status IS NOT NULL
        OR (OLD.id, OLD.person, OLD.wallet, OLD.amount, OLD.currency, OLD.method, OLD.digest)
            IS DISTINCT FROM
            (NEW.id, NEW.person, NEW.wallet, NEW.amount, NEW.currency, NEW.method, NEW.digest)
    THEN
        RAISE EXCEPTION 'top-up % is decided', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_topup BEFORE UPDATE ON payments.topup
    FOR EACH ROW EXECUTE FUNCTION payments.keep_topup();

GRANT USAGE ON SCHEMA payments TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE ON payments.topup TO tikiwallet_app;
