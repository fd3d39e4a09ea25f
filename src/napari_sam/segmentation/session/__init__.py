"""Accepting objects one by one: ids, rows, undo, and the journal they are written to first."""
