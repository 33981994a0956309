"""The tables are what the models say, in one line of history per package."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader


@pytest.mark.django_db
def test_no_migration_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", "--check", "--dry-run", verbosity=1)
    except SystemExit:
        pytest.fail(capsys.readouterr().out)


def test_every_package_has_one_migration_head() -> None:
    loader = MigrationLoader(None)
    heads: dict[str, list[str]] = {}
    for app, name in loader.graph.leaf_nodes():
        heads.setdefault(app, []).append(name)
    assert {app: names for app, names in heads.items() if len(names) > 1} == {}


@pytest.mark.django_db
def test_the_schema_has_the_names_that_the_models_state() -> None:
    from django.apps import apps

    with connection.cursor() as cursor:
        tables = {table.name for table in connection.introspection.get_table_list(cursor)}
    ours = [model for model in apps.get_models() if model.__module__.startswith(("loyalty.", "campaigns."))]
    assert [model._meta.label for model in ours if model._meta.db_table not in tables] == []
    implicit = [m._meta.label for m in ours if m._meta.db_table == f"{m._meta.app_label}_{m._meta.model_name}"]
    assert implicit == []
