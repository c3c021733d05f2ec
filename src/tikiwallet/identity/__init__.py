"""People: phones, usernames, one-time codes, passwords, PINs, sessions and tokens."""
