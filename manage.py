#!/usr/bin/env python
"""Django's command line for the project."""

import sys

from loyalty.local.runtime import main

if __name__ == "__main__":
    main(sys.argv)
