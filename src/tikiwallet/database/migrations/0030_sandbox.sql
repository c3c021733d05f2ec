-- The sandbox card gateway's own memory: it stands for a provider's database, so nothing but
-- providers/sandbox.py reads it.
CREATE SCHEMA sandbox;

CREATE TABLE sandbox.charge (
    id uuid PRIMARY KEY,
    amount bigint,                     -- null: canceled before it was ever made
    currency smallint,
    method text,
    status text NOT NULL,
    failure_code text,
    after_challenge text,              -- failure that an approved challenge meets; null: success
    arrives_at timestamptz,            -- when a charge that is processing will have succeeded
    refunded_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT charge_whole CHECK (
        num_nulls(amount, currency, method) = 0
        OR num_nulls(amount, currency, method) = 3 AND status = 'failed'
    ),
    CONSTRAINT charge_amount CHECK (amount > 0),
    CONSTRAINT charge_status CHECK (
        status IN ('processing', 'requires_action', 'succeeded', 'failed')
    ),
    CONSTRAINT charge_failure CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT charge_arrival CHECK (status <> 'processing' OR arrives_at IS NOT NULL),
    CONSTRAINT charge_refund CHECK (refunded_at IS NULL OR status = 'succeeded')
);

GRANT USAGE ON SCHEMA sandbox TO tikiwallet_app;
GRANT SELECT, INSERT, UPDATE ON sandbox.charge TO tikiwallet_app;
