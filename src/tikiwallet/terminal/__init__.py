"""The shop's or agent's device: pays and is paid with no internet, over any local network."""
