"""Models as types of pydantic, and so as response models of FastAPI: no conversion by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import fastapi
import pydantic
import pytest
from fastapi.testclient import TestClient

from tests import public
from twelvetasks import Page, SystemMetadata, Task, TaskPage, TaskStatus
from twelvetasks.conversion.convert import structure
from twelvetasks.conversion.model_types import is_model
from twelvetasks.testing import FakePlatform
from twelvetasks.values.fields import Model

SENT = {
    "_id": "62a17bf847f5678267ec10cc",
    "status": "ready",
    "created_at": "2025-06-25T04:31:47.657Z",
    "updated_at": None,
    "metadata": {"duration": 12.5, "codec": "h264"},
    "a_new_field": [1, {"deep": True}],
}
"""With what a conversion by hand would lose: a null, an older name, unknown fields."""


class Listed(pydantic.BaseModel):
    """A response model of a service's own."""

    tasks: list[Task]
    next: str | None = None


PUBLIC: list[Any] = [getattr(module, name) for module, name in public.names()]
MODELS = [one for one in PUBLIC if isinstance(one, type) and is_model(one)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_a_type_of_pydantic_with_a_schema_by_its_name(model: type[Any]) -> None:
    assert issubclass(model, Model)
    adapter = pydantic.TypeAdapter(list[model])  # type: ignore[valid-type]
    schema = adapter.json_schema()
    assert schema["items"] == {"$ref": f"#/$defs/{model.__name__}"}
    described = schema["$defs"][model.__name__]
    assert (described["title"], described["additionalProperties"]) == (model.__name__, True)
    assert described["description"]
    assert adapter.validate_python([]) == []


def test_there_are_models() -> None:
    assert len(MODELS) > 25


def test_a_task_is_written_as_the_api_sent_it() -> None:
    task = structure(SENT, Task)
    adapter = pydantic.TypeAdapter(list[Task])
    assert adapter.validate_python([task])[0] is task
    assert adapter.dump_python([task]) == [SENT]
    assert json.loads(adapter.dump_json([task])) == [SENT]


def test_a_task_is_read_as_the_api_sends_it() -> None:
    read = pydantic.TypeAdapter(Task).validate_json(json.dumps(SENT))
    assert (read, type(read)) == (structure(SENT, Task), Task)
    listed = Listed.model_validate({"tasks": [SENT]})
    assert listed.tasks == [read]
    assert listed.model_dump(mode="json") == {"tasks": [SENT], "next": None}


@pytest.mark.parametrize("other", [{"_id": 3}, {}, [], "a", None, SystemMetadata()])
def test_what_is_no_task_is_refused_by_pydantic_s_own_error(other: object) -> None:
    with pytest.raises(pydantic.ValidationError, match=r"\$.* does not fit a Task"):
        pydantic.TypeAdapter(Task).validate_python(other)


def test_the_schema_tells_what_the_api_may_send() -> None:
    schema = pydantic.TypeAdapter(list[Task]).json_schema(mode="serialization")
    described = schema["$defs"]["Task"]
    assert described["required"] == ["_id"]
    assert described["properties"]["created_at"]["anyOf"][0] == {
        "type": "string",
        "format": "date-time",
    }
    assert schema["$defs"]["TaskStatus"]["enum"] == list(TaskStatus)
    assert "extra" not in described["properties"]


def test_a_page_of_any_kind_says_of_which() -> None:
    page: Page[Task] = Page(data=(Task(id="a"),))
    adapter = pydantic.TypeAdapter(Page[Task])
    assert adapter.dump_python(page) == {"data": [{"_id": "a"}]}
    assert "Page_Task_" in json.dumps(pydantic.TypeAdapter(list[Page[Task]]).json_schema())


def test_fastapi_returns_tasks_and_pages_as_they_are(fake_platform: FakePlatform) -> None:
    tasks = [structure(sent, Task) for sent in fake_platform.tasks()]
    app = fastapi.FastAPI()

    @app.get("/tasks")
    async def all_tasks() -> list[Task]:
        return tasks

    @app.get("/page")
    async def page() -> TaskPage:
        return TaskPage(data=tuple(tasks))

    @app.get("/listed")
    async def listed() -> Listed:
        return Listed(tasks=tasks, next="token")

    @app.get("/one", response_model=Task | None)
    async def one() -> Any:
        return tasks[0]

    with TestClient(app) as client:
        assert client.get("/tasks").json() == fake_platform.tasks()
        assert client.get("/page").json() == {"data": fake_platform.tasks()}
        assert client.get("/listed").json() == {"tasks": fake_platform.tasks(), "next": "token"}
        assert client.get("/one").json() == fake_platform.tasks()[0]
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert {"Task", "TaskPage", "PageInfo", "SystemMetadata", "TaskStatus", "Listed"} <= set(
        schemas
    )
    assert schemas["Listed"]["properties"]["tasks"]["items"] == {
        "$ref": "#/components/schemas/Task"
    }


def test_nobody_else_imports_pydantic() -> None:
    code = (
        "import sys, twelvetasks; twelvetasks.TaskSession('k'); twelvetasks.Task(id='a'); "
        "print('pydantic' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert ended.stdout == "False\n"
