"""Ohmstead: the system that runs an EV charging network."""

__version__ = "0.1.0"
