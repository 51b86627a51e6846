"""Every route."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from alyx.core.pictures import Uploaded, media
from alyx.core.rest.docs import docs
from alyx.core.rest.schema import schema
from alyx.health import healthz
from alyx.labs.bench_login import bench_login
from datasets.api.session_removal import delete_session
from sessions.api.session import SessionDetailView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/admin/"), name="home"),
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("api/schema", schema),
    path("docs", docs),
    path("docs/", docs),
    path("media/<path:path>", media),
    path("uploaded/<path:img_url>", Uploaded.as_view()),
    path("", include("alyx.core.journal.urls")),
    path("bench/login", bench_login),
    path("", include("alyx.labs.urls")),
    path("", include("subjects.bench.urls")),
    path("", include("subjects.api.urls")),
    path("", include("sessions.bench.urls")),
    path("", include("sessions.api.urls")),
    path("sessions/<str:id>", SessionDetailView.as_view(removal=delete_session)),  # what hangs on it goes with it
    path("", include("datasets.api.urls")),
    path("", include("transfers.api.urls")),
]

handler400 = "alyx.core.rest.errors.bad_request"
handler403 = "alyx.core.rest.errors.forbidden"
handler404 = "alyx.core.rest.errors.not_found"
handler500 = "alyx.core.rest.errors.server_error"
