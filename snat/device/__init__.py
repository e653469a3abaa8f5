"""One SNAT device (Fig. 3), without I/O."""
