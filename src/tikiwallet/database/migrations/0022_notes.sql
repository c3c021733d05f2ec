-- Private notes: what people write to each other about a payment, encrypted on their devices for
-- each other's devices. Nothing here can be read with any key of ours.
--   note_key   a device's public key, under an id that the device chose; never changed
--   note       that somebody wrote one about a payment; each side has one
--   note_copy  the note for one device; it goes when the device's key goes
CREATE TABLE identity.note_key (
    device uuid PRIMARY KEY,
    person bigint NOT NULL REFERENCES identity.person,
    public_key bytea NOT NULL CHECK (octet_length(public_key) IN (32, 65)),
    name_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX note_key_person ON identity.note_key (person, created_at);

CREATE TABLE payments.note (
    payment uuid NOT NULL,
    author bigint NOT NULL,
    from_device uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (payment, author)
);

CREATE TABLE payments.note_copy (
    payment uuid NOT NULL,
    author bigint NOT NULL,
    device uuid NOT NULL,
    data bytea NOT NULL CHECK (octet_length(data) BETWEEN 1 AND 2048),
    PRIMARY KEY (payment, author, device),
    FOREIGN KEY (payment, author) REFERENCES payments.note ON DELETE CASCADE
);
CREATE INDEX note_copy_device ON payments.note_copy (device);

GRANT SELECT, INSERT, UPDATE, DELETE ON identity.note_key, payments.note, payments.note_copy
    TO tikiwallet_app;
