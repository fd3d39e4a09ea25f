"""From prompts to masks to labels: a model and an image together."""
