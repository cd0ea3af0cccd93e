"""Models as types of pydantic: what it takes for one, how it writes it, and the schema of its JSON.

Only pydantic has this module loaded (see `values.fields`), so nothing else needs pydantic.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

import attrs
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from twelvetasks.conversion.convert import structure, to_dict
from twelvetasks.conversion.model_types import field_types
from twelvetasks.values.errors import ResponseError
from twelvetasks.values.fields import json_names


def model_schema(model: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Describe a model to pydantic: an instance, or the API's JSON object for one.

    It is written as `to_dict` does, so a service passes on what the API sent.
    """
    class_: type[Any] = get_origin(model) or model

    def read(value: Any) -> Any:
        if isinstance(value, class_):
            return value
        try:
            return structure(value, model)
        except ResponseError as error:
            raise ValueError(f"{error.json_path} does not fit a {class_.__name__}") from None

    names, types = json_names(class_), field_types(model)
    fields = {
        names[field.name]: core_schema.typed_dict_field(
            handler.generate_schema(types[field.name]), required=field.default is attrs.NOTHING
        )
        for field in attrs.fields(class_)
        if field.name in names
    }
    return core_schema.no_info_plain_validator_function(
        read,
        ref=_reference(model),
        json_schema_input_schema=core_schema.typed_dict_schema(
            fields, cls_name=class_.__name__, extra_behavior="allow"
        ),
        serialization=core_schema.plain_serializer_function_ser_schema(to_dict),
    )


def _reference(model: Any) -> str:
    """Name a model as pydantic names its own: it makes the names in the JSON schema of them."""
    class_ = get_origin(model) or model
    arguments = ",".join(map(_reference, get_args(model)))
    name = f"{class_.__module__}.{class_.__qualname__}:{id(class_)}"
    return f"{name}[{arguments}]" if arguments else name


def model_json_schema(
    model: type[Any], schema: Any, handler: GetJsonSchemaHandler
) -> JsonSchemaValue:
    """Describe the JSON object of a model, with the first line of its docstring."""
    described = handler(schema["json_schema_input_schema"])
    summary = (inspect.getdoc(model) or "").partition("\n")[0]
    handler.resolve_ref_schema(described).update(title=model.__name__, description=summary)
    return described
