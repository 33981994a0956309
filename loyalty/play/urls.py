"""Public addresses."""

from django.urls import path

from loyalty.play import views

urlpatterns = [path("play/<slug:key>/rules", views.rules, name="game_rules")]
