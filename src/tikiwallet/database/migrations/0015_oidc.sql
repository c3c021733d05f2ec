-- Signing in through others (OpenID Connect).
--   linked_identity  whom an issuer's subject means here; one identity per person and issuer
--   oidc_start       somebody was sent to a provider and has not come back; bound to their browser
--   oidc_ticket      an identity that means nobody yet, for its browser to register with
-- Whoever registers so has no password.
ALTER TABLE identity.person ALTER password_hash DROP NOT NULL;
ALTER TABLE identity.registration ALTER password_hash DROP NOT NULL;

CREATE TABLE identity.linked_identity (
    issuer text NOT NULL CHECK (char_length(issuer) BETWEEN 1 AND 500),
    subject text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    person bigint NOT NULL REFERENCES identity.person,
    linked_at timestamptz NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (issuer, subject),
    CONSTRAINT linked_identity_person UNIQUE (person, issuer)
);

CREATE TABLE identity.oidc_start (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),      -- of `state`
    browser bytea NOT NULL CHECK (octet_length(browser) = 32),   -- hash of its cookie
    provider text NOT NULL,
    return_to text NOT NULL CHECK (char_length(return_to) BETWEEN 1 AND 500),
    session uuid REFERENCES identity.session ON DELETE CASCADE,  -- who links, from where
    expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_start_expiry ON identity.oidc_start (expires_at);

CREATE TABLE identity.oidc_ticket (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    browser bytea NOT NULL CHECK (octet_length(browser) = 32),
    issuer text NOT NULL,
    subject text NOT NULL,
    registration uuid,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_ticket_registration ON identity.oidc_ticket (registration);
CREATE INDEX oidc_ticket_expiry ON identity.oidc_ticket (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE
    ON identity.linked_identity, identity.oidc_start, identity.oidc_ticket TO tikiwallet_app;
