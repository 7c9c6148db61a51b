"""The OpenAPI document against the routes that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from starlette.routing import Route

from supervisor.web.app import V1, make_app
from supervisor.web.openapi import DOCUMENT

UNDOCUMENTED = {("get", "/static/{name}")}
"""What the page is made of is its own business."""


def routes(folder: Path) -> set[tuple[str, str]]:
    return {
        (method.lower(), route.path)
        for route in make_app(folder, {}).routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }


def test_routes_and_document_agree(tmp_path: Path) -> None:
    """Both ways; what also answers without /v1 answers with it."""
    served = routes(tmp_path) - UNDOCUMENTED
    documented = set(operations())
    assert documented <= served
    old = {(method, path.replace(V1, "/api", 1)) for method, path in documented if path.startswith(V1)}
    assert served - documented <= old


def test_what_also_answers_without_a_version(tmp_path: Path) -> None:
    """As the document says: what came before there were versions."""
    served = routes(tmp_path)
    for method, path in operations():
        if path.startswith(V1) and not re.search(r"/(live|logs|events|openapi\.json)", path):
            assert (method, path.replace(V1, "/api", 1)) in served


def test_parameters_of_paths_are_described() -> None:
    """Each one, and none that isn't in the path."""
    for (_, path), operation in operations().items():
        named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert named == re.findall(r"{(\w+)}", path)


def test_operations_are_whole() -> None:
    """An id of its own, a summary, a tag that is described; with a token 401 and what it says."""
    found = operations()
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert len({one["operationId"] for one in found.values()}) == len(found)
    for (_, path), operation in found.items():
        assert operation["summary"] and set(operation["tags"]) <= tags
        assert ("401" in operation["responses"]) is ("security" in operation) is ("/instances/" in path)


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        here = {part["$ref"]} if "$ref" in part else set()
        return here.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_schemas_are_schemas() -> None:
    """By the metaschema of the dialect that OpenAPI 3.1 uses; each is used, and there."""
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert references(DOCUMENT) == {f"#/components/schemas/{name}" for name in schemas}
