"""Every list of the platform, over real sockets: what all can do, and what one alone takes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from aiohttp import web
from yarl import URL

from tests.conftest import until_no_connection
from twelvetasks import (
    AnalysisBatch,
    AnalysisTask,
    BadRequestError,
    Checkpoint,
    EmbeddingTask,
    EndpointRemovedError,
    IndexedAsset,
    IndexedAssetQuery,
    InvalidArgumentError,
    ItemStats,
    Listing,
    ListQuery,
    NotFoundError,
    Polling,
    Range,
    Resource,
    ResponseError,
    SortedQuery,
    SortKey,
    Task,
    TaskFailedError,
    TaskSession,
    WaitTimeoutError,
    extra_field,
    sent_as,
    spelling_field,
    to_dict,
)
from twelvetasks.testing import FakeList, FakePlatform

INDEX = "62a0906d47f5678267ec10a6"
SINCE = datetime(2025, 3, 1, tzinfo=UTC)
NAIVE = SINCE.replace(tzinfo=None)


@attrs.frozen(kw_only=True)
class Kind:
    """A list, as a session gives it and as the platform holds it."""

    name: str
    listing: Callable[..., Listing[Any]]
    """Makes the listing of a session."""
    item: type[Any]
    path: str
    steps: tuple[str, ...]
    """The statuses until an item ends well."""
    ends_badly: str = "failed"
    scope: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return self.name

    def of(self, platform: FakePlatform) -> FakeList:
        held = platform._tasks if self.name == "tasks" else getattr(platform, self.name)
        assert isinstance(held, FakeList)
        return held

    def add(self, platform: FakePlatform, **fields: Any) -> str:
        """Add an item under way, and give its id."""
        status = fields.pop("status", self.steps[0])
        added = self.of(platform).add(status=status, **self.scope, **fields)
        return str(added[self.of(platform).kind.id_field])

    def ids(self, platform: FakePlatform, **filters: Any) -> list[str]:
        held = self.of(platform)
        return [item[held.kind.id_field] for item in held.items(**self.scope, **filters)]


KINDS = [
    Kind(
        name="tasks",
        listing=TaskSession.tasks,
        item=Task,
        path="tasks",
        steps=("uploading", "queued", "indexing", "ready"),
    ),
    Kind(
        name="indexed_assets",
        listing=lambda session, **options: session.indexed_assets(INDEX, **options),
        item=IndexedAsset,
        path=f"indexes/{INDEX}/indexed-assets",
        steps=("pending", "queued", "indexing", "ready"),
        scope={"index_id": INDEX},
    ),
    Kind(
        name="embedding_tasks",
        listing=TaskSession.embedding_tasks,
        item=EmbeddingTask,
        path="embed-v2/tasks",
        steps=("processing", "ready"),
    ),
    Kind(
        name="older_embedding_tasks",
        listing=lambda session, **options: session.embedding_tasks(version=1, **options),
        item=EmbeddingTask,
        path="embed/tasks",
        steps=("processing", "ready"),
    ),
    Kind(
        name="analysis_tasks",
        listing=TaskSession.analysis_tasks,
        item=AnalysisTask,
        path="analyze/tasks",
        steps=("queued", "pending", "processing", "ready"),
    ),
    Kind(
        name="analysis_batches",
        listing=TaskSession.analysis_batches,
        item=AnalysisBatch,
        path="analyze/batches",
        steps=("pending", "processing", "completed"),
        ends_badly="expired",
    ),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@contextlib.asynccontextmanager
async def opened(count: int, **options: Any) -> AsyncIterator[tuple[FakePlatform, TaskSession]]:
    async with FakePlatform.demo(count, seed=4, **options) as platform:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            yield platform, session
        await until_no_connection(platform)


@every_kind
class TestEveryList:
    async def test_it_gives_every_item_once_and_in_order(self, kind: Kind) -> None:
        async with opened(800) as (platform, session):
            expected = kind.ids(platform)
            assert len(expected) > 60
            listing = kind.listing(session)
            items = await listing
            assert [item.id for item in items] == expected
            assert {type(item) for item in items} == {kind.item}
            assert [item.id async for item in listing] == expected
            paths = {request.path for request in platform.requests}
            assert paths == {f"{platform.base_url.path}/{kind.path}"}

    async def test_an_item_is_written_again_as_it_came(self, kind: Kind) -> None:
        async with opened(300) as (platform, session):
            held = kind.of(platform).items(**kind.scope)
            assert [to_dict(item) for item in await kind.listing(session)] == held

    async def test_its_pages_count_first_and_report(self, kind: Kind) -> None:
        async with opened(800) as (platform, session):
            expected = kind.ids(platform)
            listing = kind.listing(session, page_limit=20)
            pages = [page async for page in listing.pages()]
            assert [item.id for page in pages for item in page.items] == expected
            assert [page.has_next for page in pages] == [True] * (len(pages) - 1) + [False]
            assert await listing.count() == len(expected)
            first = await listing.first()
            assert first is not None
            assert first.id == expected[0]
            async with listing as stream:
                assert [item.id async for item in stream] == expected
            assert stream.report.pages == len(pages)

    async def test_a_page_of_ones_own_is_one_request(self, kind: Kind) -> None:
        async with opened(800) as (platform, session):
            expected = kind.ids(platform)
            page = await kind.listing(session, page_limit=10).page(3)
            assert [item.id for item in page.items] == expected[20:30]
            assert (page.page_info.page, page.page_info.total_results) == (3, len(expected))
            assert page.has_next
            assert len(platform.requests) == 1
            with pytest.raises(InvalidArgumentError, match="number=0"):
                await kind.listing(session).page(0)

    @pytest.mark.parametrize("exact", [False, True])
    async def test_it_goes_on_from_a_token(self, kind: Kind, exact: bool) -> None:
        async with opened(800) as (platform, session):
            expected, listed = kind.ids(platform), []
            token = None
            while True:
                listing = kind.listing(session, max_items=40, exact=exact, resume=token)
                async with listing as stream:
                    listed += [item.id async for item in stream]
                if stream.exhausted:
                    break
                token = stream.checkpoint.token
            assert listed == expected
            assert Checkpoint.parse(stream.checkpoint.token) == stream.checkpoint

    async def test_one_item_is_retrieved(self, kind: Kind) -> None:
        async with opened(300) as (_, session):
            listing = kind.listing(session)
            item = await listing.first()
            assert item is not None
            retrieved = await listing.retrieve(item)
            assert isinstance(retrieved, kind.item)
            assert retrieved.id == item.id
            assert (await listing.retrieve(item.id)).id == item.id
            with pytest.raises(NotFoundError):
                await listing.retrieve("62a0906d47f5678267ec10ff")
            with pytest.raises(InvalidArgumentError, match="_id="):
                await listing.retrieve("../tasks")

    async def test_an_answer_for_another_item_is_refused(self, kind: Kind) -> None:
        async with opened(300) as (platform, session):
            held = kind.of(platform)
            other = held.items(**kind.scope)[1]
            platform.respond(lambda request: web.json_response(other))
            with pytest.raises(ResponseError, match=rf"\$\.{held.kind.id_field}"):
                await kind.listing(session).retrieve("62a0906d47f5678267ec10ff")

    async def test_fields_that_nobody_knows_yet_are_kept(self, kind: Kind) -> None:
        async with opened(1) as (platform, session):
            item_id = kind.add(platform, status="dreaming", mood={"of": ["the", "day"]})
            item = await kind.listing(session).retrieve(item_id)
            assert item.status == "dreaming"
            assert item.extra == {"mood": {"of": ["the", "day"]}}


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("indexed_assets", {"status": ["failed", "pending"]}, {"status": ["failed", "pending"]}),
        (
            "indexed_assets",
            {"duration": Range(gte=5, lte=900), "width": {"gte": 1280}},
            {"duration": {"gte": 5, "lte": 900}, "width": {"gte": 1280}},
        ),
        (
            "indexed_assets",
            {"fps": 25, "created_at": SINCE},
            {"fps": {"gte": 25, "lte": 25}, "created_at": "2025-03-01T00:00:00Z"},
        ),
        (
            "indexed_assets",
            {"sort_by": "updated_at", "sort_option": "asc"},
            {"sort_by": "updated_at", "sort_option": "asc"},
        ),
        ("embedding_tasks", {"status": "failed"}, {"status": "failed"}),
        ("older_embedding_tasks", {"status": "ready"}, {"status": "ready"}),
        ("embedding_tasks", {"started_at": SINCE}, {"started_at": "2025-03-01T00:00:00Z"}),
        ("embedding_tasks", {"ended_at": SINCE}, {"ended_at": "2025-03-01T00:00:00Z"}),
        ("analysis_tasks", {"status": "processing"}, {"status": "processing"}),
        ("analysis_tasks", {"analysis_mode": "general"}, {"analysis_mode": "general"}),
        (
            "analysis_batches",
            {"status": ["completed", "expired"], "analysis_mode": "general"},
            {"status": ["completed", "expired"], "analysis_mode": "general"},
        ),
    ],
)
async def test_filters_narrow_a_list(
    name: str, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    async with opened(600) as (platform, session):
        expected = kind.ids(platform, **sent)
        assert expected
        assert [item.id for item in await kind.listing(session, **given)] == expected


@pytest.mark.parametrize("value", ["harbour", 3, 9.5, True, False])
async def test_user_metadata_are_sent_as_the_endpoint_takes_them(value: Any) -> None:
    async with opened(0) as (platform, session):
        add = platform.indexed_assets.add
        wanted = add(index_id="i", user_metadata={"mine": value, "season": 3})["_id"]
        add(index_id="i", user_metadata={"mine": "bay", "season": 3})
        listing = session.indexed_assets("i", user_metadata={"season": 3, "mine": value})
        assert [asset.id for asset in await listing] == [wanted]


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda session: session.indexed_assets("a/b"), "index_id"),
        (lambda session: session.indexed_assets(".."), "index_id"),
        (lambda session: session.indexed_assets(None), "index_id"),
        (lambda session: session.indexed_assets("i", status="uploading"), "status"),
        (lambda session: session.indexed_assets("i", status=[]), "status"),
        (lambda session: session.indexed_assets("i", duration={"gt": 1}), "duration"),
        (lambda session: session.indexed_assets("i", duration={}), "duration"),
        (lambda session: session.indexed_assets("i", size="1"), "size"),
        (lambda session: session.indexed_assets("i", fps=float("nan")), "fps"),
        (lambda session: session.indexed_assets("i", width={"gte": 9, "lte": 3}), "width"),
        (lambda session: session.indexed_assets("i", user_metadata={}), "user_metadata"),
        (lambda session: session.indexed_assets("i", user_metadata={"a": None}), "user_metadata"),
        (lambda session: session.indexed_assets("i", updated_at=NAIVE), "updated_at"),
        (lambda session: session.embedding_tasks(status=["ready"]), "status"),
        (lambda session: session.embedding_tasks(version=3), "version"),
        (lambda session: session.analysis_tasks(status="indexing"), "status"),
        (lambda session: session.analysis_tasks(analysis_mode="all"), "analysis_mode"),
        (lambda session: session.analysis_batches(status="ready"), "status"),
        (lambda session: session.analysis_batches(page_limit=51), "page_limit"),
    ],
)
async def test_what_a_list_does_not_take_is_refused_before_a_request(
    make: Callable[[Any], object], parameter: str
) -> None:
    async with opened(1) as (platform, session):
        with pytest.raises(InvalidArgumentError) as caught:
            make(session)
        assert caught.value.parameter == parameter
        assert platform.requests == []


def test_a_range_knows_its_ends() -> None:
    assert repr(Range(gte=5)) == "Range(gte=5)"
    with pytest.raises(InvalidArgumentError, match="gte"):
        Range()
    with pytest.raises(InvalidArgumentError, match="lte=3"):
        Range(gte=5, lte=3)
    with pytest.raises(InvalidArgumentError, match="gte=-1"):
        Range(gte=-1)


def test_a_query_is_a_value_and_stands_in_its_url() -> None:
    query = IndexedAssetQuery(index_id="i", duration={"gte": 5}, user_metadata={"b": 1, "a": True})
    same = IndexedAssetQuery(index_id="i", duration=Range(gte=5), user_metadata={"a": True, "b": 1})
    assert (query, hash(query), query.identity) == (same, hash(same), same.identity)
    assert query.url(URL("https://example.com/v1.3")).path == "/v1.3/indexes/i/indexed-assets"
    assert query.filters == [
        ("duration[gte]", "5"),
        ("user_metadata[a]", "true"),
        ("user_metadata[b]", "1"),
    ]


AT_ONCE = Polling(first=0.001, growth=1, longest=0.001)


def step_on_each_poll(kind: Kind, platform: FakePlatform, *ids: str) -> None:
    """Move items one step on with every request, until they have ended."""

    def step(_: FakePlatform, request: web.Request) -> None:
        for item_id in ids:
            with contextlib.suppress(ValueError):
                kind.of(platform).advance(item_id)

    platform.before_each(step)


@every_kind
class TestWaiting:
    async def test_a_wait_ends_with_the_item(self, kind: Kind) -> None:
        async with opened(0) as (platform, session):
            item_id, seen = kind.add(platform), []
            step_on_each_poll(kind, platform, item_id)
            ended = await kind.listing(session).wait(
                item_id, polling=AT_ONCE, on_change=lambda item: seen.append(item.status)
            )
            assert ended == await kind.listing(session).retrieve(item_id)
            assert ended.status == seen[-1] == kind.steps[-1]
            assert [status for status in kind.steps if status in seen] == seen

    async def test_a_failure_is_raised_with_the_item(self, kind: Kind) -> None:
        async with opened(0) as (platform, session):
            item_id = kind.add(platform)
            kind.of(platform).finish(item_id, status=kind.ends_badly)
            listing = kind.listing(session)
            with pytest.raises(TaskFailedError, match=f"{item_id} has ") as caught:
                await listing.wait(item_id)
            assert caught.value.task.id == item_id
            ended = await listing.wait(item_id, raise_on_failure=False)
            assert ended.status == kind.ends_badly

    async def test_many_come_as_they_end(self, kind: Kind) -> None:
        async with opened(0) as (platform, session):
            ids = [kind.add(platform) for _ in range(70)]
            step_on_each_poll(kind, platform, *ids[:60])
            ended = []
            async with kind.listing(session).wait_all(ids, timeout=30, polling=AT_ONCE) as waiting:
                async for item in waiting:
                    ended.append(item.id)
                    if len(ended) == 60:
                        assert waiting.remaining == tuple(ids[60:])
                        step_on_each_poll(kind, platform, *ids[60:])
            assert sorted(ended) == sorted(ids)
            assert set(ended[:60]) == set(ids[:60])

    async def test_what_does_not_end_or_exist_is_an_error(self, kind: Kind) -> None:
        async with opened(0) as (platform, session):
            item_id = kind.add(platform)
            listing = kind.listing(session)
            with pytest.raises(WaitTimeoutError) as caught:
                await listing.wait(item_id, timeout=0.05, polling=AT_ONCE)
            assert caught.value.task_ids == (item_id,)
            with pytest.raises(NotFoundError):
                await listing.wait("62a0906d47f5678267ec10ff")
            with pytest.raises(InvalidArgumentError, match=r"wait\(\)"):
                listing.wait_all(item_id)


async def test_why_an_analysis_failed_is_in_the_error() -> None:
    async with opened(0) as (platform, session):
        item_id = platform.analysis_tasks.add(status="queued")["task_id"]
        platform.analysis_tasks.finish(item_id, status="failed")
        reason = "analysis task .* has failed: The video could not be read"
        with pytest.raises(TaskFailedError, match=reason):
            await session.analysis_tasks().wait(item_id)


async def test_what_never_ends_cannot_be_waited_for() -> None:
    @attrs.frozen(kw_only=True, repr=False)
    class IndexQuery(ListQuery[dict[str, Any]]):
        resource = Resource(
            path="indexes",
            item=dict[str, Any],
            sort_keys=(SortKey(name="created_at", read=lambda index: index["created_at"]),),
            id_of=lambda index: str(index["_id"]),
        )

    async with opened(3) as (_, session):
        with pytest.raises(InvalidArgumentError, match="no final status"):
            session.list(IndexQuery()).wait_all(["an index"])


def refuse(platform: FakePlatform, status: int, code: str) -> None:
    said = {"code": code, "message": "It is not here."}
    for _ in range(3):
        platform.respond(lambda request: web.json_response(said, status=status))


class TestTheEndOfTheListOfTasks:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (404, "not_found"),
            (410, "gone"),
            (400, "api_upgrade_required"),
            (426, "api_upgrade_required"),
        ],
    )
    async def test_a_listing_names_the_list_that_follows(self, status: int, code: str) -> None:
        async with opened(1) as (platform, session):
            refuse(platform, status, code)
            with pytest.raises(EndpointRemovedError, match="indexed_assets") as caught:
                await session.tasks()
            assert (caught.value.status, caught.value.code) == (status, code)

    async def test_so_does_what_concerns_one_task(self) -> None:
        async with opened(1) as (platform, session):
            refuse(platform, 410, "gone")
            with pytest.raises(EndpointRemovedError, match="indexed_assets"):
                await session.task("62a0906d47f5678267ec10ff")
            with pytest.raises(EndpointRemovedError, match="indexed_assets"):
                await session.delete("62a0906d47f5678267ec10ff")

    async def test_an_unknown_task_and_another_list_are_as_before(self) -> None:
        async with opened(1) as (platform, session):
            with pytest.raises(NotFoundError) as caught:
                await session.task("62a0906d47f5678267ec10ff")
            assert not isinstance(caught.value, EndpointRemovedError)
            refuse(platform, 410, "gone")
            with pytest.raises(BadRequestError):
                await session.analysis_tasks()


@pytest.mark.parametrize("total", [0, 49, 50, 51, 100])
async def test_exhausted_tells_whether_there_is_more(total: int) -> None:
    async with opened(total) as (_, session), session.tasks(max_items=50) as stream:
        assert not stream.exhausted
        tasks = [task async for task in stream]
        assert len(tasks) == min(total, 50)
        assert stream.exhausted == (total <= 50)
    async with opened(total) as (_, session), session.tasks() as stream:
        assert len([task async for task in stream]) == total
        assert stream.exhausted


async def test_a_list_of_ones_own_within_another() -> None:
    entities: Resource[dict[str, Any]] = Resource(
        path="entity-collections/{entity_collection_id}/entities",
        item=dict[str, Any],
        id_of=lambda entity: str(entity["_id"]),
        sort_keys=(
            SortKey(
                name="created_at",
                read=lambda entity: datetime.fromisoformat(entity["created_at"]),
            ),
        ),
    )

    @attrs.frozen(kw_only=True, repr=False)
    class EntityQuery(ListQuery[dict[str, Any]]):
        resource = entities

        entity_collection_id: str
        name: str | None = None

    async with opened(0) as (platform, session):
        added = [
            platform.entities.add(entity_collection_id="c", name=f"entity {number}")["_id"]
            for number in range(70)
        ]
        listing = session.list(EntityQuery(entity_collection_id="c"))
        assert [entity["_id"] for entity in await listing] == added[::-1]
        retrieved = await listing.retrieve(added[3])
        assert retrieved["name"] == "entity 3"
        with pytest.raises(InvalidArgumentError, match="entity_collection_id"):
            EntityQuery(entity_collection_id="c/d")


@attrs.frozen(kw_only=True)
class Store:
    """A model of one's own that has no status."""

    id: str = attrs.field(metadata=sent_as("_id"))
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra_field()
    _spelling: frozenset[str] | None = spelling_field()


@attrs.frozen(kw_only=True, repr=False)
class StoreQuery(SortedQuery[Store]):
    resource = Resource(
        path="indexes",
        item=Store,
        sort_keys=(
            SortKey(name="created_at", read=lambda store: store.created_at),
            SortKey(name="updated_at", read=lambda store: store.updated_at, changes=True),
        ),
    )


async def test_a_list_of_ones_own_whose_items_have_no_status_is_watched() -> None:
    async with (
        FakePlatform() as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        index_id = platform.indexes.add(index_name="mine")["_id"]
        watching = session.list(StoreQuery()).watch(since=SINCE, min_interval=0.001)
        async with watching as watch:
            change = await anext(watch)
            assert (change.before, change.item.id) == (None, index_id)
            platform.indexes.update(index_id, index_name="renamed")
            change = await anext(watch)
            assert change.item.extra["index_name"] == "renamed"
        stats = ItemStats.of(await session.list(StoreQuery()))
        assert (stats.total, stats.by_status) == (1, {"": 1})


async def follow(listing: Listing[Any], item_id: str) -> tuple[list[Any], list[Any], Any]:
    """List, watch and wait for one item; the same for any list that can be watched."""
    listed = [item.id async for item in listing]
    changes = []
    async with listing.watch(since=SINCE, min_interval=0.001, max_interval=0.01) as watch:
        async for change in watch:
            changes.append((change.item.id, change.item.status))
            if len(changes) == 2:
                break
    return listed, changes, await listing.wait(item_id, timeout=9, polling=AT_ONCE)


@pytest.mark.parametrize("list_of", ["tasks", "indexed_assets"])
async def test_one_word_changes_the_list_that_a_program_follows(list_of: str) -> None:
    kind = next(kind for kind in KINDS if kind.name == list_of)
    async with opened(0) as (platform, session):
        item_id = kind.add(platform, status="queued")
        polls = []

        def step(_: FakePlatform, request: web.Request) -> None:
            polls.append(request)
            if len(polls) in (3, 6):
                kind.of(platform).advance(item_id)

        platform.before_each(step)
        listed, changes, ended = await follow(kind.listing(session), item_id)
        assert listed == [item_id]
        assert changes == [(item_id, "queued"), (item_id, "indexing")]
        assert ended.status == "ready"


async def test_a_watch_of_indexed_assets_goes_on_from_its_checkpoint() -> None:
    async with opened(0) as (platform, session):
        first = platform.indexed_assets.add(index_id="i", status="queued")["_id"]
        listing = session.indexed_assets("i", status="indexing")
        async with listing.watch(since=SINCE, min_interval=0.001, deletions=True) as watch:
            platform.indexed_assets.advance(first)
            change = await anext(watch)
            assert (change.before, change.item.id) == (None, first)
            stored = watch.checkpoint.token
            platform.indexed_assets.delete(first)
            change = await anext(watch)
            assert change.after is None
            assert isinstance(change.item, IndexedAsset)
        platform.indexed_assets.add(index_id="other", status="indexing")
        second = platform.indexed_assets.add(index_id="i", status="indexing")["_id"]
        async with listing.watch(resume=stored, min_interval=0.001) as watch:
            assert (await anext(watch)).item.id == second
        with pytest.raises(InvalidArgumentError, match="resume"):
            session.indexed_assets("other").watch(resume=stored)


@every_kind
async def test_only_what_is_sorted_by_its_last_change_is_watched(kind: Kind) -> None:
    async with opened(0) as (_, session):
        if kind.name in ("tasks", "indexed_assets"):
            kind.listing(session).watch()
        else:
            with pytest.raises(InvalidArgumentError, match="updated_at"):
                kind.listing(session).watch()
