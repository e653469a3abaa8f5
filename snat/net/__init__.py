"""The Twisted shell: the only place with sockets, files, clocks and the reactor."""
