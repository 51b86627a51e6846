"""Pages as the clients expect them."""

from typing import Any

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`count, next, previous, results`; 250 a page, 1000 at most."""

    default_limit = 250
    max_limit = 1000

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """The rows of the page. They are only counted where the page itself does not tell: when it is full, or behind the end."""
        limit = self.get_limit(request) or self.max_limit
        self.request, self.limit, self.offset = request, limit, self.get_offset(request)
        page = list(queryset[self.offset : self.offset + limit])
        is_last = len(page) < limit and (page or not self.offset)
        self.count = self.offset + len(page) if is_last else self.get_count(queryset)
        return page
