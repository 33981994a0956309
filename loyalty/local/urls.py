"""Addresses for operators: health and metrics."""

from loyalty.local.health import urlpatterns

__all__ = ["urlpatterns"]
