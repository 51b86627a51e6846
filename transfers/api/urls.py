"""Routes of the engine."""

from django.urls import path

from transfers.api.sync import SyncFileStatus
from transfers.api.why import Why

urlpatterns = [path("sync-file-status", SyncFileStatus.as_view()), path("why", Why.as_view())]
