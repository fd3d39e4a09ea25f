"""Everything that knows napari and Qt."""

from __future__ import annotations
