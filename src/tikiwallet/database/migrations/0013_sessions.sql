-- What people want to know of each of their sign-ins: with what, from where, how, and when it was
-- last of use. `device` is a few words made from the browser's name, empty when nothing is known.
ALTER TABLE identity.session
    ADD device text NOT NULL DEFAULT '' CHECK (char_length(device) <= 100),
    ADD address text CHECK (char_length(address) <= 100),
    ADD method text NOT NULL DEFAULT 'password' CHECK (method ~ '^[a-z_]{1,30}$'),
    ADD last_seen_at timestamptz;
UPDATE identity.session SET last_seen_at = created_at;
ALTER TABLE identity.session ALTER last_seen_at SET NOT NULL;
