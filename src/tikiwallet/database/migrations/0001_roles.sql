-- Who may do what. The owner runs migrations and nothing else does; the ledger's writer may add to
-- the log and read it; the application may read the log and owns the day-to-day of other schemas.
-- Roles belong to the whole server, so they may exist already.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tikiwallet_ledger', 'tikiwallet_app'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
        -- Whoever connects steps down to one of them with SET ROLE.
        IF NOT pg_has_role(session_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO session_user', wanted);
        END IF;
    END LOOP;
    -- In a cluster the writer insists on seeing a synchronous standby. Where the owner may not
    -- grant that, an administrator does: GRANT pg_read_all_stats TO tikiwallet_ledger.
    BEGIN
        GRANT pg_read_all_stats TO tikiwallet_ledger;
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
END
$$;
