"""Parts are found by their files: key = file name, each says what it is, and nothing is listed by hand."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.apps import apps

from loyalty.kit.chores import all_chores
from loyalty.kit.registry import Registry


def our_modules() -> Iterator[ModuleType]:
    for root in ("loyalty", "campaigns"):
        package = importlib.import_module(root)
        for found in pkgutil.walk_packages(package.__path__, root + "."):
            if not {"migrations", "__main__", "asgi", "wsgi"} & set(found.name.split(".")):
                yield importlib.import_module(found.name)


def registries() -> list[Registry[object]]:
    found = {
        id(value): value for module in our_modules() for value in vars(module).values() if isinstance(value, Registry)
    }
    return sorted(found.values(), key=lambda registry: registry.kind)


PARTS = [(registry, key, part) for registry in registries() for key, part in registry.items()]
NAMES = [f"{registry.kind}-{key}" for registry, key, _ in PARTS]


@pytest.mark.parametrize(("registry", "key", "part"), PARTS, ids=NAMES)
def test_every_part_says_what_it_is(registry: Registry[object], key: str, part: object) -> None:
    described = type(part).__doc__ or ""
    if described.startswith(type(part).__name__ + "("):  # what @dataclass writes by itself
        described = ""
    described = described or importlib.import_module(type(part).__module__).__doc__ or ""
    assert len(described.split()) >= 3


@pytest.mark.parametrize(("registry", "key", "part"), PARTS, ids=NAMES)
def test_the_key_of_a_part_is_its_file_name(registry: Registry[object], key: str, part: object) -> None:
    module = type(part).__module__
    if registry.package and module.startswith(registry.package + "."):
        assert module == f"{registry.package}.{key}"


def test_every_file_of_a_parts_folder_is_a_part() -> None:
    missing = []
    for registry in registries():
        if registry.package:
            folder = importlib.import_module(registry.package)
            missing += [
                f"{registry.package}.{found.name}"
                for found in pkgutil.iter_modules(folder.__path__)
                if found.name not in registry
            ]
    assert missing == []


def test_every_chore_says_what_it_does() -> None:
    assert [item.key for item in all_chores() if len((item.run.__doc__ or "").split()) < 4] == []


def test_every_chore_is_named_after_its_package() -> None:
    labels = {config.label for config in apps.get_app_configs()}
    assert [item.key for item in all_chores() if item.key.partition(".")[0] not in labels] == []
