"""A redundant NAT router for Linux: translates for a private network and replicates its NAT table."""

__version__ = "0.1.0"
