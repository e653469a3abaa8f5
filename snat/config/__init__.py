"""The running configuration as frozen dataclasses, and its verification, which changes nothing."""
