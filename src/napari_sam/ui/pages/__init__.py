"""The tabs of the panel: each shows a part of the session and calls it."""
