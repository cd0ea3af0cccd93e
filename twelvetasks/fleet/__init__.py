"""One rate limit for many processes and machines: `RedisGate`. Only this folder imports redis."""

from __future__ import annotations

try:
    from twelvetasks.fleet.redis_gate import RedisGate
except ModuleNotFoundError as _missing:
    raise ImportError(
        "twelvetasks.fleet needs its extra: pip install 'twelvetasks[redis]'", name=_missing.name
    ) from None

__all__ = ["RedisGate"]
