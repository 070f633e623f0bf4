"""`python -m workbench`: the command, where its script is not on the path."""

from __future__ import annotations

import sys

from workbench.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
