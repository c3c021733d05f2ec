-- The person's own affairs: what happened to their account, what they were told, how they want it.
--   person          gains profile, own PIN threshold, lower limits, closing
--   security_event  the audit trail of sign-ins, factors, PIN, recovery ...; rows are only ever added
--   payer_change    whose remembered facts (threshold, lower limits) every process must forget
--   restricted_pay  what was paid under lower limits, by transaction
--   closing         an account being closed: the intent, taken up again after a crash
--   notice          what the app tells a person, in words made when it is read
--   notice_mark     up to where they have read
--   follower        how far the notices have followed the security events
ALTER TABLE identity.person
    ALTER COLUMN username DROP NOT NULL,
    ADD COLUMN language text,  -- none: as the device has it
    ADD COLUMN home_currency smallint NOT NULL DEFAULT 702,  -- money.Currency.number
    ADD COLUMN pin_threshold bigint,       -- cents of Singapore; null: everybody's
    ADD COLUMN notice_payments boolean NOT NULL DEFAULT true,
    ADD COLUMN notice_news boolean NOT NULL DEFAULT false,
    ADD COLUMN restricted_from timestamptz,
    ADD COLUMN restricted_until timestamptz,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN freed_at timestamptz,       -- when phone and names were made unreadable
    ADD CONSTRAINT person_language CHECK (language ~ '^[a-z]{2,3}(-[A-Za-z]{2,8})?$'),
    ADD CONSTRAINT person_home_currency CHECK (home_currency > 0),
    ADD CONSTRAINT person_pin_threshold CHECK (pin_threshold BETWEEN 0 AND 9007199254740991),
    ADD CONSTRAINT person_restricted CHECK (
        (restricted_from IS NULL) = (restricted_until IS NULL) AND restricted_until > restricted_from
    ),
    -- Phone and name of a closed account are freed some time after, both at once.
    ADD CONSTRAINT person_freed CHECK (
        (freed_at IS NULL) = (username IS NOT NULL) AND (freed_at IS NULL OR closed_at IS NOT NULL)
    );
CREATE INDEX person_closed ON identity.person (closed_at) WHERE freed_at IS NULL;

-- Nobody signs in to a closed account, by whatever way; whoever closes one holds its row meanwhile.
CREATE FUNCTION identity.refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM identity.person WHERE id = NEW.person FOR KEY SHARE;
    IF EXISTS (SELECT FROM identity.person WHERE id = NEW.person AND closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'person % is closed', NEW.person USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_closed BEFORE INSERT ON identity.session
    FOR EACH ROW WHEN (NEW.person IS NOT NULL) EXECUTE FUNCTION identity.refuse_closed();

CREATE TABLE identity.security_event (
    id bigint PRIMARY KEY CHECK (id > 0),
    -- null: somebody tried who is not known; a closed account's row stays, so this always leads there
    person bigint REFERENCES identity.person,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{2,39}$'),
    session uuid,                          -- no foreign key: sessions are deleted some day
    device text CHECK (char_length(device) BETWEEN 1 AND 120),
    address text CHECK (char_length(address) BETWEEN 1 AND 64),
    request text CHECK (char_length(request) BETWEEN 1 AND 64),
    detail jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    -- Who reads below the oldest database transaction under way misses none, however late it commits.
    writer xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX security_event_person ON identity.security_event (person, id DESC);
CREATE INDEX security_event_writer ON identity.security_event (writer, id);

CREATE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'security events are append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.security_event
    FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();

CREATE TABLE identity.payer_change (
    person bigint PRIMARY KEY REFERENCES identity.person,
    at timestamptz NOT NULL,
    writer xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX payer_change_writer ON identity.payer_change (writer);
CREATE INDEX payer_change_at ON identity.payer_change (at);

CREATE TABLE identity.restricted_pay (
    person bigint NOT NULL REFERENCES identity.person,
    transaction_id uuid NOT NULL,
    amount_sgd bigint NOT NULL CHECK (amount_sgd > 0),  -- cents of Singapore, or their worth
    at timestamptz NOT NULL,
    PRIMARY KEY (person, transaction_id)
);
CREATE INDEX restricted_pay_at ON identity.restricted_pay (at);

CREATE TABLE identity.closing (
    person bigint PRIMARY KEY REFERENCES identity.person,
    attempt uuid NOT NULL,
    next_check_at timestamptz NOT NULL     -- when somebody else takes it up
);
CREATE INDEX closing_due ON identity.closing (next_check_at);

CREATE TABLE notify.notice (
    id bigint PRIMARY KEY CHECK (id > 0),
    person bigint NOT NULL,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{2,39}$'),
    facts jsonb NOT NULL CHECK (jsonb_typeof(facts) = 'object'),
    at timestamptz NOT NULL,
    event bigint UNIQUE                    -- the security event that it tells of
);
CREATE INDEX notice_person ON notify.notice (person, id DESC);
CREATE INDEX notice_at ON notify.notice (at);

CREATE TABLE notify.notice_mark (
    person bigint PRIMARY KEY,
    read_up_to bigint NOT NULL CHECK (read_up_to >= 0)
);

CREATE TABLE notify.follower (
    name text PRIMARY KEY,
    writer xid8 NOT NULL,
    id bigint NOT NULL
);
INSERT INTO notify.follower VALUES ('security events', '0', 0);

GRANT SELECT, INSERT ON identity.security_event TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    identity.payer_change, identity.restricted_pay, identity.closing
TO tikiwallet_app;
GRANT SELECT, INSERT, DELETE ON notify.notice TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE ON notify.notice_mark TO tikiwallet_app;
GRANT SELECT, UPDATE ON notify.follower TO tikiwallet_app;
