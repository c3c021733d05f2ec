"""`tikiwallet bench`: the product's own figures beside pgbench on the same server."""
