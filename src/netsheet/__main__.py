"""``python -m netsheet``."""

from netsheet.cli import main

main()
