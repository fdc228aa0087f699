"""Keys in the files of other programs: read as data, shown first, and stored through the door of every key."""
