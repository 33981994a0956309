"""Names in the API's document: two packages' schemas of one name would overwrite each other there."""

import ast
from collections import defaultdict

from tests.house.sources import SOURCES, TREES, name_of


def test_every_schema_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file in SOURCES:
        for node in TREES[file].body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Schema" for base in node.bases):
                found[node.name].append(name_of(file))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
