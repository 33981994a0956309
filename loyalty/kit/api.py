"""The NinjaAPI of the project: its errors have one shape, which its OpenAPI document describes."""

from typing import Any

from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from loyalty.kit.errors import install

ERROR_SCHEMA: dict[str, Any] = {
    "title": "Error",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "description": "Stable; for programs."},
                "message": {"type": "string", "description": "One sentence; for people."},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["where", "problem"],
                        "properties": {"where": {"type": "string"}, "problem": {"type": "string"}},
                    },
                },
            },
        }
    },
}


class Api(NinjaAPI):
    """`/api/v1/` with `openapi.json` and offline pages at `docs`."""

    def __init__(self) -> None:
        super().__init__(
            title="Loyalty campaigns",
            version="1",
            description="Customers, events, segments, templates, flows, messages, reports. Use a bearer key.",
            openapi_url="/openapi.json",
            docs_url="/docs",
            # The validator badge is a picture from another host.
            docs=Swagger(settings={"persistAuthorization": True, "validatorUrl": None}),
        )
        install(self)

    def _get_urls(self) -> list[URLPattern | URLResolver]:
        """ninja's addresses, words before placeholders: `customers/batch` of one package is no customer of another."""
        found = super()._get_urls()
        served = [path.strip("/") for router in self._get_bound_routers() for path in router.path_operations]
        if double := {path for path in served if served.count(path) > 1}:
            raise ValueError(f"of two packages that serve {', '.join(sorted(double))} only one would answer")
        return sorted(found, key=lambda entry: ["<" in part for part in str(entry.pattern).split("/")])

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """ninja's document, every operation with the error answer."""
        schema = super().get_openapi_schema(**kwargs)
        schema.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR_SCHEMA
        error = {
            "description": "Refused or failed: every mistake at once.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for operations in schema.get("paths", {}).values():
            for operation in operations.values():
                operation.setdefault("responses", {})["default"] = error
        return schema
