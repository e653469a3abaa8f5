"""Application level gateways: protocols that carry addresses within (RFC 2663 section 2.9, Fig. 4B 462)."""
