"""Configuration of the documentation site: `make docs` builds it into `build/docs`."""

import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("KERAS_HOME", os.devnull)

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from dubito import __version__  # noqa: E402

project = "Dubito"
author = "The Dubito developers"
copyright = "2026, the Dubito developers, Apache-2.0"  # noqa: A001
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # Fills the reference pages of HTTP, settings and commands from the code.
    "dubito_reference",
]
exclude_patterns = ["_ext"]

# Pages are Markdown; links to headings are checked like links to pages.
myst_enable_extensions = ["colon_fence", "deflist", "linkify"]
myst_heading_anchors = 4
# `https://…` is a link; `bundle.json` and `study.md` are file names.
myst_linkify_fuzzy_links = False

# `--seed` keeps both of its dashes.
smartquotes = False

# Docstrings are Google's form, and single backticks hold code.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

nitpicky = True
nitpick_ignore_regex = [
    # Other libraries' objects: no inventory is downloaded, so that a build needs no network.
    (
        r"py:.*",
        r"(numpy|np|keras|tensorflow|msgspec|pathlib|collections|contextlib|enum|types)\b.*",
    ),
    (r"py:.*", r"(httpx|sklearn|DataFrame|Index|NDArray)\b.*"),
    # Full names stand in signatures, of objects that autodoc has imported: these are of modules
    # that have no page of their own.
    (r"py:.*", r"(dubito|app)\.[\w.]+|ClientRow"),
]

linkcheck_timeout = 10
# Addresses of a service on the reader's own machine, and of examples.
linkcheck_ignore = [r"http://(127\.0\.0\.1|localhost)", r"https?://[a-z]+\.example"]

html_theme = "furo"
html_title = f"Dubito {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False


def skip_member(_app: Any, _what: str, name: str, _of: Any, skip: bool, _options: Any) -> bool:
    """Leave out the methods that scikit-learn adds, whose texts refer to its own pages."""
    return skip or re.fullmatch(r"set_\w+_request|get_metadata_routing", name) is not None


def setup(app: Any) -> None:
    """Connect what is in this file to Sphinx."""
    app.connect("autodoc-skip-member", skip_member)
