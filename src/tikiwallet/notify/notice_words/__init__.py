"""What notices say: one module per language, with the same kinds in each (a test holds that)."""
