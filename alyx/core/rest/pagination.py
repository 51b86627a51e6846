"""Pages as the clients expect them."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework.pagination import LimitOffsetPagination

Page = TypeVar("Page")

FURTHEST = 2**62
"""Further than any table reaches, and still a number for PostgreSQL."""


class Pages(LimitOffsetPagination):
    """`count, next, previous, results`; 250 a page, 1000 at most."""

    default_limit = 250
    max_limit = 1000

    def page_of(self, rows: QuerySet[Any, Any], request: Any, read: Callable[[Any], tuple[Page, int]]) -> Page:
        """What `read` makes of the page's rows; it also says how many there were.

        They are only counted where the page itself does not tell how many there are: when it is full, or behind the end.
        """
        limit = self.get_limit(request) or self.max_limit
        self.request, self.limit, self.offset = request, limit, min(self.get_offset(request), FURTHEST)
        page, length = read(rows[self.offset : self.offset + limit])
        is_last = length < limit and (length or not self.offset)
        self.count = self.offset + length if is_last else self.get_count(rows)
        return page

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """The rows of the page."""
        return self.page_of(queryset, request, _listed)


def _listed(rows: Any) -> tuple[list[Any], int]:
    page = list(rows)
    return page, len(page)
