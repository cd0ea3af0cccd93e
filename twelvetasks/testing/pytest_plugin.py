"""The entry point for pytest, which loads it into every suite on the machine.

So it imports nothing that could fail or take time, and never replaces a fixture of the suite.
"""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixtures whose names no other plugin has; a conftest overrides them anyway."""
    from twelvetasks.testing import fixtures  # noqa: PLC0415 - small, but this module is smaller

    offered = ModuleType(fixtures.__name__)
    plugins = config.pluginmanager.get_plugins()
    for name in fixtures.OFFERED:
        if not any(name in getattr(plugin, "__dict__", ()) for plugin in plugins):
            setattr(offered, name, getattr(fixtures, name))
    config.pluginmanager.register(offered, "twelvetasks-fixtures")
