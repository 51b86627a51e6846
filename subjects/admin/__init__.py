"""Pages of the animal."""

from subjects.admin import (
    colony,
    death,
    drugs,
    genotype,
    housing,
    licence,
    litter,
    procedure,
    subject,
    surgery,
    vocabulary,
    water,
    water_history,
)

__all__ = [
    "colony",
    "death",
    "drugs",
    "genotype",
    "housing",
    "licence",
    "litter",
    "procedure",
    "subject",
    "surgery",
    "vocabulary",
    "water",
    "water_history",
]
