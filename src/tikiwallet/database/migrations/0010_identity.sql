-- People, how they sign in, and what keeps guessing slow.
--   person        who owns wallets, with phone, username and password
--   pin           the payment PIN; five wrong tries in a row lock it
--   registration  asked for, not yet verified; reservation keeps its username for that long
--   code          one-time codes, as keyed hashes
--   attempt       counters of rate limits, by keyed hash of phone, address or person
--   session       one sign-in, or one service token; refresh holds its rotating tokens
--   revocation    ended sessions whose access tokens have not run out; every process follows it
CREATE SCHEMA identity;

CREATE TABLE identity.person (
    id bigint PRIMARY KEY CHECK (id > 0),
    phone text NOT NULL CONSTRAINT person_phone UNIQUE CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    username text NOT NULL CONSTRAINT person_username UNIQUE
        CHECK (username ~ '^[a-z][a-z0-9_.]{2,29}$'),
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 100),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    created_at timestamptz NOT NULL
);

CREATE TABLE identity.pin (
    person bigint PRIMARY KEY REFERENCES identity.person,
    hash text NOT NULL CHECK (hash LIKE '$argon2id$%'),
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    changed_at timestamptz NOT NULL
);

CREATE TABLE identity.registration (
    id uuid PRIMARY KEY,
    phone text NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX registration_expiry ON identity.registration (expires_at);

CREATE TABLE identity.reservation (
    username text PRIMARY KEY,
    phone text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX reservation_expiry ON identity.reservation (expires_at);

CREATE TABLE identity.code (
    id uuid PRIMARY KEY,
    purpose text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX code_expiry ON identity.code (expires_at);

CREATE TABLE identity.attempt (
    kind text NOT NULL,
    subject bytea NOT NULL CHECK (octet_length(subject) = 16),
    count integer NOT NULL CHECK (count >= 0),
    started_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (kind, subject)
);
CREATE INDEX attempt_last ON identity.attempt (last_at);

CREATE TABLE identity.session (
    id uuid PRIMARY KEY,
    person bigint REFERENCES identity.person,
    service text CHECK (char_length(service) BETWEEN 1 AND 100),
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at timestamptz,
    revoked_why text,
    CONSTRAINT session_owner CHECK (num_nonnulls(person, service) = 1),
    CONSTRAINT session_revoked CHECK ((revoked_at IS NULL) = (revoked_why IS NULL))
);
CREATE INDEX session_person ON identity.session (person) WHERE revoked_at IS NULL;
CREATE INDEX session_expiry ON identity.session (expires_at);

CREATE TABLE identity.refresh (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    session uuid NOT NULL REFERENCES identity.session ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
-- A session has one refresh token that still works.
CREATE UNIQUE INDEX refresh_current ON identity.refresh (session) WHERE used_at IS NULL;
CREATE INDEX refresh_session ON identity.refresh (session);

CREATE TABLE identity.revocation (
    session uuid PRIMARY KEY,
    until timestamptz NOT NULL,        -- when the last of its access tokens has run out
    -- Who reads from the oldest database transaction under way misses none, however late it commits.
    writer xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX revocation_writer ON identity.revocation (writer);
CREATE INDEX revocation_until ON identity.revocation (until);

GRANT USAGE ON SCHEMA identity TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity TO tikiwallet_app;
