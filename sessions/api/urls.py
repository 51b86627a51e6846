"""Routes of sessions."""

from django.urls import path

from sessions.api.session import SessionDetailView, SessionListView

urlpatterns = [
    path("sessions", SessionListView.as_view()),
    path("sessions/<str:id>", SessionDetailView.as_view()),
]
