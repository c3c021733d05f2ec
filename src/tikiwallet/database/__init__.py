"""PostgreSQL: the embedded server, migrations, pools, and the one place that commits."""
