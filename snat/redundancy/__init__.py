"""Who manages and who listens (Fig. 2, 8, 10), without I/O."""
