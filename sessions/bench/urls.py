"""Routes of the bench pages about sessions."""

from django.urls import path

from sessions.bench.notes import live_data, live_page

urlpatterns = [
    path("sessions/<str:id>/live", live_page, name="live_notes"),
    path("bench/data/sessions/<str:id>/notes", live_data),
]
