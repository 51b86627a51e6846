"""Pages of ours inside the admin that are not a model's: each app adds its addresses when its pages are loaded."""

from django.contrib import admin
from django.urls import URLPattern


def add_routes(*patterns: URLPattern) -> None:
    """Serve these before the pages of the models (whose last address takes everything)."""
    known = admin.site.get_urls
    admin.site.get_urls = lambda: [*patterns, *known()]  # type: ignore[method-assign]
