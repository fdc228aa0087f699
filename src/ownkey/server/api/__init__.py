"""The management API: what the page and other programs keep this Ownkey by. Loaded when it is first asked."""
