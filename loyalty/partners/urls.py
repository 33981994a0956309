from django.urls import path

from loyalty.partners import views

urlpatterns = [path("joint-control/", views.joint_control, name="joint_control")]
