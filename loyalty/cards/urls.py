"""Where phones get passes."""

from django.urls import path

from loyalty.cards import views

_DEVICE = "passes/apple/v1/devices/<str:device>/registrations/<str:pass_type>"

urlpatterns = [
    path("passes/apple/<str:token>.pkpass", views.download, name="pass-apple"),
    path(f"{_DEVICE}", views.changed),
    path(f"{_DEVICE}/<str:serial>", views.registration),
    path("passes/apple/v1/passes/<str:pass_type>/<str:serial>", views.latest),
    path("passes/apple/v1/log", views.problems),
]
