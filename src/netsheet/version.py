"""The version, which a release changes here alone."""

__version__ = "0.1.0"
