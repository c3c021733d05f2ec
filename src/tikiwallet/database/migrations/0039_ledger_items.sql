-- Entries of an account with the legs that they come from, newest first. They lie scattered over the
-- log, so where memory misses each is a read of its own: as bitmap scans these are asked for many at
-- a time, as index scans one after the other. The planner does not count that, hence the settings.
CREATE FUNCTION ledger.items(of bigint, first_seq bigint, last_seq bigint) RETURNS TABLE (
    seq bigint, n bigint, at timestamptz, transaction_id uuid, leg smallint, type smallint,
    kind smallint, debit bigint, credit bigint, amount bigint, change bigint, currency smallint,
    reference text, cause uuid, posted bigint, held bigint
) LANGUAGE plpgsql STABLE
SET enable_indexscan = off SET enable_seqscan = off SET enable_nestloop = off
SET effective_io_concurrency = 32
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH e AS MATERIALIZED (
        SELECT * FROM ledger.entry WHERE account = of AND seq BETWEEN first_seq AND last_seq
    ), l AS MATERIALIZED (
        SELECT * FROM ledger.log WHERE shard = 0 AND n = ANY(ARRAY(SELECT e.n FROM e))
    )
    SELECT e.seq, e.n, e.at, l.transaction_id, l.leg, e.type, l.kind, l.debit, l.credit, l.amount,
        e.amount, e.currency, l.reference, l.cause, e.posted_credits - e.posted_debits,
        e.pending_debits
    FROM e JOIN l ON l.n = e.n
    ORDER BY e.seq DESC;
END
$$;
REVOKE ALL ON FUNCTION ledger.items FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.items TO tikiwallet_ledger, tikiwallet_app;
