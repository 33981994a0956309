from loyalty.local.health import urlpatterns

__all__ = ["urlpatterns"]
