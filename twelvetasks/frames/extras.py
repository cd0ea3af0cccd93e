"""What data frames need: a package, which an extra installs, and a model."""

from __future__ import annotations

from importlib.util import find_spec

_HINTS = {
    "pyarrow": "data frames need an extra: 'twelvetasks[pandas]' or 'twelvetasks[polars]' for "
    "those, or for Arrow alone: pip install 'twelvetasks[arrow]'",
    "pandas": "to_pandas() needs its extra: pip install 'twelvetasks[pandas]'",
    "polars": "to_polars() needs its extra: pip install 'twelvetasks[polars]'",
}


def is_installed(package: str) -> bool:
    """Whether a package can be imported; nothing is."""
    return find_spec(package) is not None


def require(*packages: str) -> None:
    """Raise ImportError, which names the extra, if one of the packages is not installed."""
    for package in packages:
        if not is_installed(package):
            raise ImportError(_HINTS[package], name=package)


def not_a_model(item: type) -> TypeError:
    """Return the error for items without columns."""
    return TypeError(
        f"data frames are of models, and {item.__name__} is none: a model is an attrs class with "
        "an `extra_field` and a `spelling_field`"
    )
