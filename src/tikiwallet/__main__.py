"""`python -m tikiwallet` is `tikiwallet`."""

from tikiwallet.cli import main

main()
