"""Keeping tables equal (Fig. 4A, 5, 11, 13), without I/O."""
