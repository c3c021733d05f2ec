-- The audit trail says where each event came from sealed, as sessions do (0031). Nothing else of a
-- row changes, and from here on it is append-only again: a rotation of keys leaves it alone.
ALTER TABLE identity.security_event
    ADD COLUMN device_sealed bytea CHECK (octet_length(device_sealed) BETWEEN 33 AND 1000),
    ADD COLUMN address_sealed bytea CHECK (octet_length(address_sealed) BETWEEN 33 AND 1000);
ALTER TABLE identity.security_event DISABLE TRIGGER append_only;
-- step: seal_security_events
ALTER TABLE identity.security_event ENABLE TRIGGER append_only;
ALTER TABLE identity.security_event DROP COLUMN device, DROP COLUMN address;
-- A notice reads both from its event.
UPDATE notify.notice SET facts = facts - 'device' - 'address' WHERE event IS NOT NULL;
