"""The colony's services, by one name: vocabularies and lines, pairs and litters, requests, hand-over, automatic names."""

from subjects.services.breeding import (
    add_pups,
    change_litter,
    change_pair,
    create_litter,
    create_pair,
    wean_litter,
)
from subjects.services.lines import (
    WORDS,
    change_allele,
    change_line,
    change_word,
    create_allele,
    create_line,
    create_word,
)
from subjects.services.naming import next_name, next_subject_name, take_names
from subjects.services.requests import allocate, change_request, close_request, open_request, release
from subjects.services.subject import hand_over

__all__ = [
    "WORDS",
    "add_pups",
    "allocate",
    "change_allele",
    "change_line",
    "change_litter",
    "change_pair",
    "change_request",
    "change_word",
    "close_request",
    "create_allele",
    "create_line",
    "create_litter",
    "create_pair",
    "create_word",
    "hand_over",
    "next_name",
    "next_subject_name",
    "open_request",
    "release",
    "take_names",
    "wean_litter",
]
