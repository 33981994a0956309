"""Addresses: wiring only. No package is named here; what an installed app of ours brings is found by its file names.

`api.py` with a `router` (django-ninja) is served below `/api/v1/`; its operations name their full path from there
("/segments/{key}"). `urls.py` with `urlpatterns` is included at the root ("t/c/<token>", "healthz").
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from loyalty.kit.api import Api

OURS = ("loyalty.", "campaigns.")


def _modules(name: str) -> list[ModuleType]:
    """The module `name` of every installed app of ours that has it, in the order of INSTALLED_APPS."""
    ours = [config.name for config in apps.get_app_configs() if config.name.startswith(OURS)]
    return [import_module(f"{package}.{name}") for package in ours if find_spec(f"{package}.{name}")]


api = Api()
for module in _modules("api"):
    if hasattr(module, "router"):
        api.add_router("", module.router)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/v1/", api.urls),
    *(path("", include(module)) for module in _modules("urls") if hasattr(module, "urlpatterns")),
]
