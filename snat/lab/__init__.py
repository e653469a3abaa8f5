"""A laboratory of network namespaces on one machine: demonstration, system tests, measurements."""
