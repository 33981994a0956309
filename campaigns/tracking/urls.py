"""The public addresses of every message: `/t/c/`, `/t/o/`, `/u/`, `/p/`."""

from django.urls import path

from campaigns.tracking import pages, views

urlpatterns = [
    path("t/c/<str:token>", views.click, name="click"),
    path("t/o/<str:token>", views.open_pixel, name="open"),
    path("u/<str:token>", pages.unsubscribe, name="unsubscribe"),
    path("p/<str:token>", pages.preferences, name="preferences"),
]
