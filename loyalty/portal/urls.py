"""The addresses of the member portal."""

from django.urls import path

from loyalty.portal import entrance_pages, own_pages, pages

urlpatterns = [
    path("member/", pages.home, name="member-home"),
    path("member/theme.css", pages.theme, name="member-theme"),
    path("member/join", entrance_pages.join, name="member-join"),
    path("member/join/now", pages.join_now, name="member-join-now"),
    path("member/sign-in", entrance_pages.sign_in, name="member-sign-in"),
    path("member/code", entrance_pages.code, name="member-code"),
    path("member/in/<str:token>", entrance_pages.link, name="member-link"),
    path("member/sign-out", entrance_pages.sign_out, name="member-sign-out"),
    path("member/points", pages.points, name="member-points"),
    path("member/messages", own_pages.messages, name="member-messages"),
    path("member/profile", own_pages.profile, name="member-profile"),
    path("member/data", own_pages.data, name="member-data"),
    path("member/data/download", own_pages.download, name="member-download"),
    path("member/data/erase", own_pages.erase, name="member-erase"),
    path("member/pin", own_pages.pin, name="member-pin"),
    path("member/leave", own_pages.leave, name="member-leave"),
    path("member/more", own_pages.more, name="member-more"),
    path("member/rules", pages.rules, name="member-rules"),
    path("member/accessibility", pages.accessibility, name="member-accessibility"),
    path("member/<slug:key>/", pages.section, name="member-section"),
]
