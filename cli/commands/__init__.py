"""The commands, declared; one file a subject."""
