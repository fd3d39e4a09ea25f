"""Automatic segmentation: a grid of points, records of what it finds, and what is made of them."""
