"""The project and the customer's side: who people are, what we may do, what happened."""

from loyalty.celery import app as celery_app

__all__ = ["celery_app"]
