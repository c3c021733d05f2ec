-- Where people sign in from, and where a recovery was begun, is sealed as their phones are
-- (identity/sealing.py): a stolen disk or backup does not show who was where with what.
-- Nothing is looked up by these, so there is no index of them.
ALTER TABLE identity.session
    ADD COLUMN device_sealed bytea CHECK (octet_length(device_sealed) BETWEEN 33 AND 1000),
    ADD COLUMN address_sealed bytea CHECK (octet_length(address_sealed) BETWEEN 33 AND 1000);
ALTER TABLE identity.recovery
    ADD COLUMN device_sealed bytea CHECK (octet_length(device_sealed) BETWEEN 33 AND 1000),
    ADD COLUMN address_sealed bytea CHECK (octet_length(address_sealed) BETWEEN 33 AND 1000);
-- step: seal_sign_ins
ALTER TABLE identity.session DROP COLUMN device, DROP COLUMN address;
ALTER TABLE identity.recovery DROP COLUMN device, DROP COLUMN address;
