"""Training with a simulated user, as in the SAM paper; torch and numpy are all it needs."""
