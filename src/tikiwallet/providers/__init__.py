"""Providers: the outside world behind the Protocols of lower packages, and its sandbox twins."""
