"""How the documentation is built: `make docs`."""

from __future__ import annotations

from importlib import metadata

project = "napari-sam-tiles"
author = "napari_sam developers"
project_copyright = "napari_sam developers"
release = metadata.version("napari-sam-tiles")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
# Links to places that are not there are warnings, and warnings are errors.
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block", "colon_fence"]
default_role = "py:obj"
# A short name in a docstring, as in "at `origin`", may be that of two attributes: either will do.
suppress_warnings = ["ref.python"]

# The docstrings say types in words; their order is that of the files.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "Segment Anything, any size"
html_copy_source = False
html_show_sphinx = False
exclude_patterns = ["_build"]
smartquotes = False  # or `--model` in the examples of the commands gets a dash
