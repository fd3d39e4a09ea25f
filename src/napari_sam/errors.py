"""The errors a user can cause and can do something about.

Each says in one sentence what was found, what was expected and what to do, and subclasses the
builtin that a caller would catch. The command line prints them on one line and exits with 2.
"""

from __future__ import annotations


class NapariSamError(Exception):
    """Anything this package refuses."""


class InputError(NapariSamError, ValueError):
    """A value that cannot be used: an empty image, a point outside, a box with no area."""


class InputTypeError(NapariSamError, TypeError):
    """An object of a kind that cannot be used: an object array, a text where numbers belong."""


class CheckpointError(NapariSamError, ValueError):
    """A file that is not the checkpoint it should be, or one that is not safe to read."""


class DownloadError(NapariSamError, OSError):
    """Weights that could not be fetched."""


class StoreError(NapariSamError, OSError):
    """A folder that cannot be used to keep embeddings or labels in."""
