-- Phones and display names are sealed (identity/sealing.py): a stolen disk or backup shows neither.
-- A person is found by `phone_index`, a keyed hash of the phone that nobody can compute without the
-- key file. Usernames are public and stay in clear. Registrations under way are dropped; they live
-- for five minutes, and whoever began one begins again.
DELETE FROM identity.registration;
DELETE FROM identity.reservation;
ALTER TABLE identity.registration
    DROP COLUMN phone,
    ADD COLUMN phone_sealed bytea NOT NULL;
ALTER TABLE identity.reservation
    DROP COLUMN phone,
    ADD COLUMN phone_index bytea NOT NULL CHECK (octet_length(phone_index) = 32);
ALTER TABLE identity.person
    ADD COLUMN phone_sealed bytea,
    ADD COLUMN phone_index bytea CHECK (octet_length(phone_index) = 32),
    ADD COLUMN display_name_sealed bytea;
-- step: seal_people
ALTER TABLE identity.person DROP COLUMN phone, DROP COLUMN display_name;
ALTER TABLE identity.person
    ALTER COLUMN phone_sealed SET NOT NULL,
    ALTER COLUMN phone_index SET NOT NULL,
    ALTER COLUMN display_name_sealed SET NOT NULL,
    ADD CONSTRAINT person_phone UNIQUE (phone_index);
