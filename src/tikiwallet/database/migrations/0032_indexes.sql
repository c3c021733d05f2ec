-- What is tidied away every hour is found by an index: used refresh tokens, of which each device
-- leaves four a day, by their end; and what goes with a session that is deleted.
CREATE INDEX refresh_expiry ON identity.refresh (expires_at);
CREATE INDEX oidc_start_session ON identity.oidc_start (session) WHERE session IS NOT NULL;
