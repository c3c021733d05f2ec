-- Programs of partners that get access tokens for themselves (OAuth 2, client credentials). Secrets
-- are 256 random bits, so an unkeyed hash keeps them. A client's tokens name the client itself as
-- their session: ending it ends them all.
CREATE TABLE identity.client (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON identity.client TO tikiwallet_app;
