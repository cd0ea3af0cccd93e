"""The entry point for pytest, which loads it into every suite on the machine.

So it imports nothing that could fail or take time, and never replaces a fixture of the suite.
"""

from __future__ import annotations

from types import FunctionType, ModuleType

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixtures whose names no other plugin has; a conftest overrides them anyway."""
    from twelvetasks.testing import fixtures  # noqa: PLC0415 - small, but this module is smaller

    offered = ModuleType(fixtures.__name__)
    taken = {name for plugin in config.pluginmanager.get_plugins() for name in _names(plugin)}
    for name in fixtures.OFFERED:
        if name not in taken:
            setattr(offered, name, getattr(fixtures, name))
    config.pluginmanager.register(offered, "twelvetasks-fixtures")


def _names(plugin: object) -> set[str]:
    """Return all names that a fixture of this plugin can have."""
    names: set[str] = set()
    for holder in (plugin, *type(plugin).__mro__):
        for name, value in dict(getattr(holder, "__dict__", ())).items():
            names.add(name)
            # A fixture may have a name beside that of its function.
            if isinstance(value, FunctionType):  # before pytest 8.4
                names.add(getattr(vars(value).get("_pytestfixturefunction"), "name", None) or name)
            elif type(value).__name__ == "FixtureFunctionDefinition":
                names.add(getattr(value, "name", None) or name)
    return names
