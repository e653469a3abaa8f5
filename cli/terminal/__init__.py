"""The terminal program `snat-cli`; imports nothing of the router."""
