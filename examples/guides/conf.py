"""How Sphinx builds guides and reference; `nox -s docs` runs it, with every warning an error.

It asks nothing of the network: what other libraries name is listed below instead of being looked up
in their inventories. A word in single backticks in a docstring becomes a link if it is a public
name of ours; if it is spelled like a class, it has to be one.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, get_args

import twelvetasks
from twelvetasks import frames, listing, lists, otel, session, testing, webhooks
from twelvetasks.streams.resumable import ResumableGenerator

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# Signatures name what these modules import for type checkers alone.
for module in (listing, lists, session):
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            exec(ast.unparse(ast.Module(statement.body, [])), vars(module))  # noqa: S102 - our own imports

project = "twelvetasks"
author = "The twelvetasks authors"
copyright = author  # noqa: A001 - Sphinx's name for it

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_llms_txt"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3

# Fields named `type` are not what annotations mean by it.
suppress_warnings = ["ref.python"]

default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Parameters, fields, keywords, parts of a request: whatever is not spelled like a class.
    ("py:obj", r"(?![A-Z][a-z]\w*(\.\w+)*$).*"),
    # Type variables, and what only annotations name.
    ("py:class", r"datetime|HTTPStatus|Mapping|twelvetasks(\.\w+)+\.(\w+T(_co)?|Identified|Told)"),
    # What belongs to Python or to another library.
    ("py:.*", r"(?!twelvetasks\b)\w+\..*"),
]

ALIASES = (
    *("SortByName", "SortOptionName", "StatusFilter", "StatusName", "RangeFilter"),
    *("IndexedAssetStatusName", "IndexedAssetStatusFilter", "EmbeddingStatusName"),
    *("AnalysisStatusName", "AnalysisModeName", "AnalysisModeFilter"),
    *("BatchStatusName", "BatchStatusFilter"),
)
"""Types that signatures name and the reference spells out."""

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "twelvetasks"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_sourcelink_suffix = ""  # llms.txt links to the Markdown of each page
html_show_sourcelink = False

# Relative, so that it holds wherever the pages are served; the first page is only a contents list.
llms_txt_uri_template = "_sources/{docname}{suffix}"
llms_txt_exclude = ["index"]
html_show_sphinx = False
html_show_copyright = False


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the functions below."""
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("autodoc-process-signature", show_public_signature)
    app.connect("missing-reference", find_in_the_package)


def show_public_bases(_app: Sphinx, _name: str, cls: type, _options: Any, bases: list[Any]) -> None:
    """Put what a private base stands for in its place."""
    if issubclass(cls, ResumableGenerator):
        bases[:] = [types.GenericAlias(AsyncGenerator, (*get_args(base), None)) for base in bases]


def show_public_signature(
    _app: Sphinx, what: str, _name: str, made: Any, _options: Any, signature: str | None, _: str
) -> tuple[str, str | None] | None:
    """Leave out what a caller does not give: all that a session makes, and private parameters."""
    if what not in ("class", "exception") or signature is None:
        return None
    if re.match(r"\(_?requests\b", signature) or issubclass(made, twelvetasks.TwelveTasksError):
        return "", None
    signature = re.sub(r"<function _[^>]+>", "...", signature)
    return re.sub(r", _\w+: [^=]+ = None(?=[,)])", "", signature), None


def find_in_the_package(
    app: Sphinx, env: BuildEnvironment, reference: pending_xref, shown: nodes.Element
) -> nodes.Element | None:
    """Let what every module of the package may name be found from each of them."""
    target = reference["reftarget"]
    name = target.rpartition(".")[2]
    for module in (twelvetasks, testing, webhooks, otel, frames):
        known = {*module.__all__, *(ALIASES if module is twelvetasks else ())}
        if reference.get("refdomain") == "py" and name in known:
            full = f"{module.__name__}.{name}"
            python = env.domains.python_domain
            return python.resolve_xref(
                env, reference["refdoc"], app.builder, "obj", full, reference, shown
            )
    return None
