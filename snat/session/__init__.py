"""One link between two devices (Fig. 7), without I/O."""
