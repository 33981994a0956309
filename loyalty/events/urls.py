"""The public addresses of websites."""

from django.urls import path

from loyalty.events import views

urlpatterns = [
    path("t.js", views.tracker, name="tracker"),
    path("t/e", views.take, name="tracked"),
]
