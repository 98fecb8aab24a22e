"""What netsheet says when something is wrong: what, where and what to do."""

from __future__ import annotations


class NetsheetError(Exception):
    """A failure that the user can act on; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(NetsheetError):
    """The request itself is wrong (an unknown layer, a bad option); exits with 2."""

    exit_code = 2


class FormatError(NetsheetError):
    """A file is not what it should be, is damaged, or holds something that is refused."""


class UnsupportedError(NetsheetError):
    """A layer or option that netsheet does not compute; names it and what still works."""
