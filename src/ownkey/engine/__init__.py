"""One request, from plan to settle: the only place where keys, money and sockets meet."""
