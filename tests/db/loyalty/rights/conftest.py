"""A person of whom there is something in most tables, through the product's own doors."""

from typing import Any

import pytest

from loyalty.access.operations import create_api_key
from loyalty.kit import clock


class Api:
    """Calls with a key that may do everything."""

    def __init__(self, client: Any) -> None:
        self.client = client
        secret = create_api_key(name="desk", scopes=["*"], now=clock.now()).secret
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/{path}", headers=self.headers)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        call = getattr(self.client, method)
        return call(f"/api/v1/{path}", data=body, content_type="application/json", headers=self.headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("post", path, {} if body is None else body)


@pytest.fixture
def api(client: Any) -> Api:
    return Api(client)
