"""Public addresses: the screen of a place, and what its code leads to."""

from django.urls import path

from loyalty.program import views

urlpatterns = [
    path("check-in/screen/<str:token>", views.screen, name="check-in-screen"),
    path("check-in/<str:code>", views.code, name="check-in"),
]
