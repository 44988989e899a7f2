"""Domain tags: the first input of every width-24 compression inside the statement (rollup.md, Hashing)."""

TAG_MSG = 1
"""XMSS message encoding."""
TAG_OWNER = 2
"""Owner digest of a public key."""
TAG_CELL = 3
"""Ledger cell (leaf of the state tree)."""
TAG_TX = 4
"""Transaction words."""
TAG_DATA = 5
"""Data commitment."""
TAG_EVENT = 6
"""Inbox event."""
TAG_INBOX = 7
"""Inbox accumulator."""
TAG_EXIT = 8
"""Exit leaf."""
TAG_CODE = 9
"""Program code."""
