"""The label image: objects painted, erased and taken back, in memory and on disk."""
