"""The public addresses of every message: `/t/c/`, `/t/o/`, `/u/`, `/p/`, `/d/`."""

from django.urls import path

from campaigns.tracking import pages, preferences, views

urlpatterns = [
    path("t/c/<str:token>", views.click, name="click"),
    path("t/o/<str:token>", views.open_pixel, name="open"),
    path("u/<str:token>", pages.unsubscribe, name="unsubscribe"),
    path("p/<str:token>", preferences.preferences, name="preferences"),
    path("d/<str:token>", pages.confirm, name="confirm"),
]
