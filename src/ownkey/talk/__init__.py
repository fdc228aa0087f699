"""The words everything else is said in: chat, reply, money, secret, errors. Imports nothing of Ownkey's."""
