"""What makes each model a type that pydantic knows, and so a response model of FastAPI.

Pydantic asks a class for its schema. `conversion.pydantic_schema` makes it, as the JSON is known
there. It is loaded by name and only then: values import nothing above them, and pydantic is
optional.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["PydanticType"]


class PydanticType:
    """A base of models: pydantic takes their instances, and writes them as `to_dict` does."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        home = importlib.import_module("twelvetasks.conversion.pydantic_schema")
        return home.model_schema(source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        home = importlib.import_module("twelvetasks.conversion.pydantic_schema")
        return home.model_json_schema(cls, schema, handler)
