"""What text messages say: a module per language, a text per purpose."""
