-- Second factors and passkeys, and what is remembered of strong sign-ins.
--   totp            a person's authenticator app: its sealed secret, the last step that was used
--   totp_draft      one being set up, until its first code proves that it works
--   sms_factor      who wants a code by SMS at sign-in
--   recovery_code   ten to a person, as keyed hashes; gone once used
--   passkey         the public keys of people's passkeys
--   challenge       a sign-in between the password and the second factor
--   ceremony        a WebAuthn challenge that waits for its answer; gone once answered
--   confirmation    when a session was last confirmed by password or passkey
--   familiar_place  keyed hashes of a phone and an address its owner has signed in from
CREATE TABLE identity.totp (
    person bigint PRIMARY KEY REFERENCES identity.person,
    secret bytea NOT NULL,
    last_step bigint NOT NULL CHECK (last_step >= 0),  -- codes up to this one are used up
    created_at timestamptz NOT NULL
);

CREATE TABLE identity.totp_draft (
    person bigint PRIMARY KEY REFERENCES identity.person,
    secret bytea NOT NULL,
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 10),
    expires_at timestamptz NOT NULL
);
CREATE INDEX totp_draft_expiry ON identity.totp_draft (expires_at);

CREATE TABLE identity.sms_factor (
    person bigint PRIMARY KEY REFERENCES identity.person,
    created_at timestamptz NOT NULL
);

CREATE TABLE identity.recovery_code (
    person bigint NOT NULL REFERENCES identity.person,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (person, hash)
);

CREATE TABLE identity.passkey (
    id bigint PRIMARY KEY CHECK (id > 0),
    person bigint NOT NULL REFERENCES identity.person,
    credential_id bytea NOT NULL CONSTRAINT passkey_credential UNIQUE
        CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    public_key bytea NOT NULL,  -- COSE
    sign_count bigint NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    backup_eligible boolean NOT NULL,
    backed_up boolean NOT NULL CHECK (backup_eligible OR NOT backed_up),
    transports text[] NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 60),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkey_person ON identity.passkey (person);

CREATE TABLE identity.challenge (
    id uuid PRIMARY KEY,
    person bigint NOT NULL REFERENCES identity.person,
    tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    sms_code uuid,  -- the newest code that was sent for it, in identity.code
    sms_sent smallint NOT NULL DEFAULT 0,
    sms_at timestamptz,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX challenge_expiry ON identity.challenge (expires_at);
CREATE INDEX challenge_person ON identity.challenge (person);

CREATE TABLE identity.ceremony (
    challenge bytea PRIMARY KEY CHECK (octet_length(challenge) = 32),
    id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ceremony_expiry ON identity.ceremony (expires_at);

CREATE TABLE identity.confirmation (
    session uuid PRIMARY KEY REFERENCES identity.session ON DELETE CASCADE,
    at timestamptz NOT NULL
);

CREATE TABLE identity.familiar_place (
    place bytea PRIMARY KEY CHECK (octet_length(place) = 16),
    last_at timestamptz NOT NULL
);
CREATE INDEX familiar_place_last ON identity.familiar_place (last_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    identity.totp, identity.totp_draft, identity.sms_factor, identity.recovery_code,
    identity.passkey, identity.challenge, identity.ceremony, identity.confirmation,
    identity.familiar_place
TO tikiwallet_app;
