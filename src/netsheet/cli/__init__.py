"""The command line: parse, call the public Python API, show."""

from netsheet.cli.app import main

__all__ = ["main"]
