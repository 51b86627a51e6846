"""Routes of recordings. That of one session is at the roof: its removal takes along what belongs to upper apps."""

from django.urls import path

from sessions.api.atlas import BrainRegionDetail, BrainRegionList
from sessions.api.chronic import ChronicDetailView, ChronicListView
from sessions.api.imaging import (
    FOVDetailView,
    FOVListView,
    FOVLocationDetailView,
    FOVLocationListView,
    ImagingStackDetailView,
    ImagingStackListView,
)
from sessions.api.insertion import InsertionDetailView, InsertionListView
from sessions.api.session import SessionListView
from sessions.api.trajectory import ChannelDetailView, ChannelListView, TrajectoryDetailView, TrajectoryListView

urlpatterns = [
    path("sessions", SessionListView.as_view()),
    path("brain-regions", BrainRegionList.as_view()),
    path("brain-regions/<str:id>", BrainRegionDetail.as_view()),
    path("insertions", InsertionListView.as_view()),
    path("insertions/<str:id>", InsertionDetailView.as_view()),
    path("trajectories", TrajectoryListView.as_view()),
    path("trajectories/<str:id>", TrajectoryDetailView.as_view()),
    path("channels", ChannelListView.as_view()),
    path("channels/<str:id>", ChannelDetailView.as_view()),
    path("chronic-insertions", ChronicListView.as_view()),
    path("chronic-insertions/<str:id>", ChronicDetailView.as_view()),
    path("fields-of-view", FOVListView.as_view()),
    path("fields-of-view/<str:id>", FOVDetailView.as_view()),
    path("fov-location", FOVLocationListView.as_view()),
    path("fov-location/<str:id>", FOVLocationDetailView.as_view()),
    path("imaging-stack", ImagingStackListView.as_view()),
    path("imaging-stack/<str:id>", ImagingStackDetailView.as_view()),
]
