"""The NAT table and what decides a translation; knows no packets and no peers."""
