"""`python -m ownkey` is the command."""

import os
import sys

if not sys.flags.safe_path and sys.path[0] == os.getcwd():
    # Python looks into the working folder first: a json.py there would be loaded in the place of its own.
    del sys.path[0]

from ownkey.cli.main import main

main()
