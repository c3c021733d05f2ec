-- People that somebody wants at hand when paying. Who was paid lately follows from the ledger.
CREATE TABLE identity.favourite (
    person bigint NOT NULL REFERENCES identity.person,
    other bigint NOT NULL REFERENCES identity.person,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (person, other),
    CONSTRAINT favourite_other CHECK (person <> other)
);
CREATE INDEX favourite_of ON identity.favourite (other);

GRANT SELECT, INSERT, DELETE ON identity.favourite TO tikiwallet_app;
