-- Getting back into an account, and moving it to another number.
--   recovery       asked for (by phone or username), then proven by a code, then waiting, then done
--   phone_change   a number on its way out: proven by a code to the new one, effective some time later
-- Secrets are random and kept as hashes: whoever began a recovery has one, the text message another
-- that only cancels. Codes are in identity.code, under the row's id (or `old_code`).
CREATE TABLE identity.recovery (
    id uuid PRIMARY KEY,
    person bigint REFERENCES identity.person,  -- null: nobody has that phone or name
    by_phone boolean NOT NULL,                 -- else by username, for those whose number is gone
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    device text CHECK (char_length(device) <= 120),
    address text CHECK (char_length(address) <= 64),
    -- from when it was proven
    secret_hash bytea CHECK (octet_length(secret_hash) = 32),
    cancel_hash bytea UNIQUE CHECK (octet_length(cancel_hash) = 32),
    needs_factor boolean NOT NULL DEFAULT false,
    ready_at timestamptz,                      -- with the factor, where one is needed
    ready_without_at timestamptz,              -- without it
    ended_at timestamptz,
    ended_how text,
    CONSTRAINT recovery_proven CHECK (
        num_nulls(secret_hash, cancel_hash, ready_at) IN (0, 3)
        AND (ready_at IS NULL OR person IS NOT NULL)
        AND (ready_without_at IS NOT NULL) = (needs_factor AND ready_at IS NOT NULL)
    ),
    CONSTRAINT recovery_ended CHECK ((ended_at IS NULL) = (ended_how IS NULL)),
    CONSTRAINT recovery_how CHECK (ended_how IN ('completed', 'cancelled', 'superseded', 'closed'))
);
CREATE INDEX recovery_open ON identity.recovery (person)
    WHERE ready_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX recovery_expiry ON identity.recovery (expires_at);

CREATE TABLE identity.phone_change (
    id uuid PRIMARY KEY,
    person bigint NOT NULL UNIQUE REFERENCES identity.person,
    phone_sealed bytea NOT NULL,
    phone_index bytea NOT NULL CHECK (octet_length(phone_index) = 32),
    ends text NOT NULL CHECK (ends ~ '^[0-9]{2}$'),  -- the last digits, for notices
    old_code uuid NOT NULL,
    cancel_hash bytea NOT NULL UNIQUE CHECK (octet_length(cancel_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    new_proven_at timestamptz,
    old_proven_at timestamptz,
    effective_at timestamptz,                  -- from when the new number was proven
    CONSTRAINT phone_change_effective CHECK ((new_proven_at IS NULL) = (effective_at IS NULL))
);
CREATE INDEX phone_change_due ON identity.phone_change (effective_at);
CREATE INDEX phone_change_expiry ON identity.phone_change (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON identity.recovery, identity.phone_change TO tikiwallet_app;
