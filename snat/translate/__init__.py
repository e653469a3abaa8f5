"""The NAT process (Fig. 9) on packet bytes."""
