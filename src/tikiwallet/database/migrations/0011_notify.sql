-- The sandbox's SMS provider: messages that would have gone out, readable in the development inbox.
-- Codes stand here in clear; no real provider writes to this table.
CREATE SCHEMA notify;

CREATE TABLE notify.message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    to_phone text NOT NULL,
    text text NOT NULL,
    code text,
    sent_at timestamptz NOT NULL
);
CREATE INDEX message_newest ON notify.message (to_phone, id DESC);

GRANT USAGE ON SCHEMA notify TO tikiwallet_app;
GRANT SELECT, INSERT, DELETE ON notify.message TO tikiwallet_app;
