"""What `django=` may ask about animals, procedures, weights and water."""

from alyx.core.rest.query_language import (
    Declared,
    QueryFields,
    boolean,
    day,
    json_path,
    not_withdrawn,
    number,
    relation,
    text,
    uuid_,
    wall,
)
from alyx.labs.query_fields import LABS, LOCATIONS, NOTES_ABOUT, PROJECTS, USERS

_WORD: dict[str, Declared] = {"name": text("name"), "description": text("description"), "json": json_path("json")}
_WORDS = QueryFields(_WORD)

SEQUENCES = QueryFields({**_WORD, "base_pairs": text("base_pairs")})

ALLELES = QueryFields(
    {
        "nickname": text("nickname"),
        "name": text("name"),
        "json": json_path("json"),
        "sequences": relation("sequences", SEQUENCES, many=True),
    }
)

SPECIES = QueryFields({**_WORD, "nickname": text("nickname")})

LINES = QueryFields(
    {
        **_WORD,
        "nickname": text("nickname"),
        "target_phenotype": text("target_phenotype"),
        "is_active": boolean("is_active"),
        "lab": relation("lab", LABS),
        "species": relation("species", SPECIES),
        "strain": relation("strain", _WORDS),
        "source": relation("source", _WORDS),
        "alleles": relation("alleles", ALLELES, many=True),
    }
)

BREEDING_PAIRS = QueryFields(
    {
        **_WORD,
        "start_date": day("started_on"),
        "end_date": day("ended_on"),
        "line": relation("line", LINES),
        **{name: relation(name, lambda: SUBJECTS, only=not_withdrawn) for name in ("father", "mother1", "mother2")},
    }
)

LITTERS = QueryFields(
    {
        **_WORD,
        "birth_date": day("born_on"),
        "wean_date": day("weaned_on"),
        "line": relation("line", LINES),
        "breeding_pair": relation("breeding_pair", BREEDING_PAIRS),
    }
)

REQUESTS = QueryFields(
    {
        **_WORD,
        "count": number("count"),
        "due_date": day("due_on"),
        "user": relation("user", USERS),
        "line": relation("line", LINES),
    }
)

ZYGOSITIES = QueryFields({"zygosity": number("state"), "allele": relation("allele", ALLELES)})

GENOTYPE_TESTS = QueryFields({"test_result": number("result"), "sequence": relation("sequence", SEQUENCES)})

SUBJECTS: QueryFields = QueryFields(
    {
        "nickname": text("nickname"),
        "sex": text("sex"),
        "birth_date": day("born_on"),
        "death_date": day("died_on"),
        "wean_date": day("weaned_on"),
        "genotype_date": day("genotyped_on"),
        "reduced_date": day("reduced_on"),
        "name": text("name"),
        "cage": text("cage_name"),
        "ear_mark": text("ear_mark"),
        "to_be_culled": boolean("to_be_culled"),
        "to_be_genotyped": boolean("to_be_genotyped"),
        "actual_severity": number("actual_severity"),
        "adverse_effects": text("adverse_effects"),
        "species": relation("species", SPECIES),
        "strain": relation("strain", _WORDS),
        "source": relation("source", _WORDS),
        "line": relation("line", LINES),
        "litter": relation("litter", LITTERS),
        "request": relation("request", REQUESTS),
        "zygosity": relation("zygosities", ZYGOSITIES, many=True),
        "genotypetest": relation("genotype_tests", GENOTYPE_TESTS, many=True),
        "genotype": relation("zygosities__allele", ALLELES, many=True),
        "genotype_test": relation("genotype_tests__sequence", SEQUENCES, many=True),
        "description": text("description"),
        "protocol_number": text("protocol_number"),
        "json": json_path("json"),
        "lab": relation("lab", LABS),
        "responsible_user": relation("responsible_user", USERS),
        "projects": relation("projects", PROJECTS, many=True),
        "notes": NOTES_ABOUT,
    }
)

PROCEDURES = QueryFields({"name": text("name"), "description": text("description"), "json": json_path("json")})

SURGERIES = QueryFields(
    {
        "name": text("name"),
        "narrative": text("narrative"),
        "json": json_path("json"),
        "start_time": wall("started_wall"),
        "end_time": wall("ended_wall"),
        "outcome_type": text("outcome_type"),
        "implant_weight": number("implant_weight_g"),
        "subject": relation("subject", lambda: SUBJECTS, only=not_withdrawn),
        "lab": relation("lab", LABS),
        "location": relation("location", LOCATIONS),
        "users": relation("users", USERS, many=True),
        "procedures": relation("procedures", PROCEDURES, many=True),
    }
)

WATER_TYPES = QueryFields({"name": text("name"), "description": text("description"), "json": json_path("json")})

_MOMENT: dict[str, Declared] = {
    "date_time": wall("at_wall"),
    "json": json_path("json"),
    "subject": relation("subject", lambda: SUBJECTS, only=not_withdrawn),
    "user": relation("user", USERS),
}

WEIGHINGS = QueryFields({**_MOMENT, "weight": number("weight_g")})

WATERS = QueryFields(
    {
        **_MOMENT,
        "water_administered": number("volume_ml"),
        "water_type": relation("water_type", WATER_TYPES),
        "adlib": boolean("adlib"),
        "session": uuid_("session_id"),
    }
)

RESTRICTIONS = QueryFields(
    {
        "name": text("name"),
        "narrative": text("narrative"),
        "json": json_path("json"),
        "start_time": wall("started_wall"),
        "end_time": wall("ended_wall"),
        "reference_weight": number("reference_weight_g"),
        "water_type": relation("water_type", WATER_TYPES),
        "subject": relation("subject", lambda: SUBJECTS, only=not_withdrawn),
        "lab": relation("lab", LABS),
        "location": relation("location", LOCATIONS),
        "users": relation("users", USERS, many=True),
        "procedures": relation("procedures", PROCEDURES, many=True),
    }
)
