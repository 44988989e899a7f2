"""Constraints that no known forgery is refused by alone, and why each is kept."""

SURVIVORS: dict[str, str] = {}
