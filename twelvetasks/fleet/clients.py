"""The client of a Redis: made of a URL or taken as it is, and given to throttled-py."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster as SyncRedisCluster
from throttled.asyncio import RedisStore

from twelvetasks.values.checks import refuse
from twelvetasks.values.secret import Secret

if TYPE_CHECKING:
    from throttled.types import AsyncRedisClientP

NO_CLUSTERS = "Redis Cluster is not supported: give the gate a Redis of its own"


def store_in(client: Redis) -> RedisStore:
    """Return throttled-py's store in the Redis of a client."""
    store = RedisStore()
    # Its protocol types the client's methods differently from redis.
    store._backend._client = cast("AsyncRedisClientP", client)
    return store


def hidden(redis: Any) -> Any:
    """Return the client, or a URL that no traceback shows; refuse a cluster's."""
    if isinstance(redis, (RedisCluster, SyncRedisCluster)):
        refuse("redis", type(redis), f"must not be a cluster's client. {NO_CLUSTERS}")
    return redis if isinstance(redis, Redis) else Secret(redis if isinstance(redis, str) else "")


def opened(redis: Any, timeout: float) -> Redis:
    """Return the client given, or a new one, which connects when it is first used."""
    if isinstance(redis, Redis):
        return redis
    client = None
    if isinstance(redis, str):
        # redis's error may quote the URL, so ours is raised outside of `suppress`.
        with suppress(TypeError, ValueError):
            made = Redis.from_url(
                str.__str__(redis),
                socket_connect_timeout=timeout,
                socket_timeout=timeout,
                # A connection that Redis has closed is noticed only when it is used.
                retry=Retry(NoBackoff(), 1),
            )
            # So that unknown options in the URL are found now, not at the first connection.
            pool: Any = made.connection_pool
            pool.make_connection()
            client = made
    if client is None:
        demand = "must be a URL (redis://, rediss:// or unix://) or a redis.asyncio.Redis"
        if isinstance(redis, str) and "cluster" in str.__str__(redis).partition("://")[0].lower():
            demand = f"must not be a cluster's URL. {NO_CLUSTERS}"
        refuse("redis", redis, demand)
    return client


def address_of(client: Redis) -> str:
    """Return where a Redis is, without its credentials."""
    known = client.connection_pool.connection_kwargs
    if path := known.get("path"):
        return f"the Redis at {path}"
    if host := known.get("host"):
        return f"the Redis at {host}:{known.get('port', 6379)}"
    return "the Redis"
