"""Routes of sessions. That of one session is at the roof: its removal takes along what belongs to upper apps."""

from django.urls import path

from sessions.api.session import SessionListView

urlpatterns = [path("sessions", SessionListView.as_view())]
