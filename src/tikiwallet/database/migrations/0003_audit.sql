-- What follows the log. The schema audit holds the Merkle tree over it: hashes of its complete
-- subtrees and the signed heads. The schema feed holds how far each consumer of the log has come.
-- Tree and heads are only ever added to, by the application; the writer reads them when it starts.
CREATE SCHEMA audit;

CREATE TABLE audit.node (
    shard smallint NOT NULL,
    level smallint NOT NULL,           -- 8: 256 leaves; each level above twice as many
    index bigint NOT NULL,             -- from the left, from 0
    hash bytea NOT NULL,
    marks bytea,                       -- level 8: four bytes of each leaf hash; names a changed row
    CONSTRAINT node_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT node_place CHECK (level BETWEEN 8 AND 62 AND index >= 0),
    CONSTRAINT node_marks CHECK ((level = 8) = (marks IS NOT NULL) AND octet_length(marks) = 1024),
    CONSTRAINT node_pkey PRIMARY KEY (shard, level, index)
);

CREATE TABLE audit.head (
    shard smallint NOT NULL,
    number bigint NOT NULL,            -- 1, 2, 3, ...; each names the hash of the one before
    size bigint NOT NULL,              -- leaves, so also the last log number it covers
    root bytea NOT NULL,
    at bigint NOT NULL,                -- microseconds since 1970, as signed
    epoch bigint NOT NULL,
    previous bytea NOT NULL,           -- 32 zero bytes before the first
    key_id bytea NOT NULL,             -- SHA-256 of the public key
    signature bytea NOT NULL,
    lost boolean NOT NULL DEFAULT false, -- the rows it covered were lost in a restore
    CONSTRAINT head_size CHECK (number > 0 AND size > 0),
    CONSTRAINT head_lengths CHECK (
        octet_length(root) = 32 AND octet_length(previous) = 32
        AND octet_length(key_id) = 32 AND octet_length(signature) = 64
    ),
    CONSTRAINT head_pkey PRIMARY KEY (shard, number),
    CONSTRAINT head_grows UNIQUE (shard, size)
);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.node
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.head
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

GRANT USAGE ON SCHEMA audit TO tikiwallet_ledger, tikiwallet_app;
GRANT SELECT ON audit.node, audit.head TO tikiwallet_ledger;
GRANT SELECT, INSERT ON audit.node, audit.head TO tikiwallet_app;

CREATE SCHEMA feed;

CREATE TABLE feed.cursor (
    name text NOT NULL,                -- the consumer
    shard smallint NOT NULL,
    n bigint NOT NULL,                 -- the last log row whose effects are recorded
    epoch bigint NOT NULL,             -- the writer's, at that row
    anchor bytea NOT NULL,             -- leaf hash of that row; empty where reading began
    CONSTRAINT cursor_n CHECK (n >= 0),
    CONSTRAINT cursor_anchor CHECK (octet_length(anchor) IN (0, 32)),
    CONSTRAINT cursor_pkey PRIMARY KEY (name, shard)
);

GRANT USAGE ON SCHEMA feed TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE ON feed.cursor TO tikiwallet_app;
