-- Messages on their way to an SMS provider. A row is committed before the provider is called, and
-- nobody calls it inside a database transaction:
--   waiting  due at next_at
--   sending  whoever calls the provider has until next_at; after that nobody knows how it ended
--   sent     the provider has taken it, under provider_id
--   refused  the provider will never take it; failure says why
--   expired  what it says is no longer true; failure says what the last attempt met
-- `unsure`: an earlier call may have been taken. It is looked for at the provider before the next.
-- The words and the number are sealed, and go when the row is final.
CREATE TABLE notify.outbox (
    id uuid PRIMARY KEY,
    purpose text NOT NULL,
    sealed bytea,
    state text NOT NULL,
    unsure boolean NOT NULL DEFAULT false,
    attempts smallint NOT NULL CHECK (attempts >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    next_at timestamptz,
    provider_id text,
    failure text CHECK (char_length(failure) <= 200),
    CONSTRAINT outbox_state CHECK (state IN ('waiting', 'sending', 'sent', 'refused', 'expired')),
    CONSTRAINT outbox_open CHECK (
        num_nulls(sealed, next_at) = CASE WHEN state IN ('waiting', 'sending') THEN 0 ELSE 2 END
    ),
    CONSTRAINT outbox_sent CHECK ((state = 'sent') = (provider_id IS NOT NULL))
);
CREATE INDEX outbox_due ON notify.outbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_created ON notify.outbox (created_at);

-- A final state stays.
CREATE FUNCTION notify.keep_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.next_at IS NULL THEN
        RAISE EXCEPTION 'message % is %', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_final BEFORE UPDATE ON notify.outbox
    FOR EACH ROW EXECUTE FUNCTION notify.keep_final();

GRANT SELECT, INSERT, UPDATE, DELETE ON notify.outbox TO tikiwallet_app;
