-- Wallets: who owns which ledger account. No balances here; those come from the ledger alone. `person`
-- points into another package's schema and so has no foreign key: packages are service boundaries.
CREATE SCHEMA wallets;

CREATE TABLE wallets.wallet (
    id bigint PRIMARY KEY,             -- also the number of its account on the ledger
    person bigint NOT NULL,
    currency smallint NOT NULL,        -- money.Currency.number
    created_at timestamptz NOT NULL,
    CONSTRAINT wallet_id CHECK (id >= 1048576),  -- below stand the house accounts
    CONSTRAINT wallet_currency CHECK (currency > 0),
    CONSTRAINT wallet_person UNIQUE (person, currency)
);

-- A wallet never changes hands or currency and never goes away, so that it may be remembered.
GRANT USAGE ON SCHEMA wallets TO tikiwallet_app;
GRANT SELECT, INSERT ON wallets.wallet TO tikiwallet_app;
