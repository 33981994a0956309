"""The floor plan holds: imports by the contracts of pyproject.toml, foreign keys by the same floors."""

import io
import tomllib
from contextlib import redirect_stdout

from django.apps import apps
from django.db import models
from importlinter.cli import lint_imports

from loyalty.local.state import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def floors() -> dict[str, int]:
    """The height of every package, read from the contracts, the ground floor of loyalty being 0."""
    contracts = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    heights: dict[str, int] = {}
    for root, name in (("loyalty", "Floors of loyalty"), ("campaigns", "Floors of campaigns")):
        base = len(heights)
        for height, layer in enumerate(reversed(contracts[name]["layers"])):
            for package in layer.split("|"):
                heights[f"{root}.{package.strip(' ()')}"] = base + height
    return heights


def test_imports_keep_the_contracts() -> None:
    told = io.StringIO()
    with redirect_stdout(told):
        status = lint_imports(config_filename=str(REPOSITORY / "pyproject.toml"), no_cache=True)
    assert status == 0, told.getvalue()


def test_foreign_keys_look_down() -> None:
    heights = floors()
    wrong = []
    for model in apps.get_models():
        package = model._meta.app_config.name
        if package not in heights:
            continue
        for field in model._meta.get_fields(include_hidden=True):
            if not isinstance(field, models.ForeignKey | models.ManyToManyField):
                continue
            target = field.related_model._meta.app_config.name
            if target != package and heights.get(target, -1) >= heights[package]:
                wrong.append(f"{model._meta.label}.{field.name} points up or sideways to {target}")
    assert wrong == []


def test_no_generic_foreign_keys() -> None:
    from django.contrib.contenttypes.fields import GenericForeignKey

    ours = [model for model in apps.get_models() if model._meta.app_config.name in floors()]
    assert [m._meta.label for m in ours if any(isinstance(f, GenericForeignKey) for f in m._meta.private_fields)] == []
