"""Bytes to messages and back (Fig. 6): stateless and clockless."""
