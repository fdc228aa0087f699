"""`ownkey`, the command: one small module for each group, over the same library that programs use."""
