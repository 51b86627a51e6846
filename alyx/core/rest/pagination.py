"""Pages as the clients expect them."""

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`count, next, previous, results`; 250 a page, 1000 at most."""

    default_limit = 250
    max_limit = 1000
