"""`python -m ownkey` is the command."""

from ownkey.cli.main import main

main()
