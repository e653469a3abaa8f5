"""The IOS-style shell: one declared tree, the modes, and the terminal program `snat-cli`."""
