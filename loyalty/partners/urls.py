from django.urls import path

from loyalty.partners import room_pages, views

urlpatterns = [
    path("joint-control/", views.joint_control, name="joint_control"),
    path("partner/", room_pages.sign_in, name="partner-sign-in"),
    path("partner/room", room_pages.room, name="partner-room"),
    path("partner/statements/<str:number>.<str:format>", room_pages.statement, name="partner-statement"),
    path("partner/sign-out", room_pages.sign_out, name="partner-sign-out"),
]
