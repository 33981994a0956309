"""Public addresses."""

from django.urls import path

from loyalty.subscriptions import views

urlpatterns = [
    path("membership/", views.plans, name="membership"),
    path("membership/cancel", views.cancel, name="membership-cancel"),
    path("membership/withdraw", views.withdraw, name="membership-withdraw"),
    path("membership/receipt/<str:token>", views.receipt, name="membership-receipt"),
]
