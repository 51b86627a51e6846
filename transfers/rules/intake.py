"""Why a file that lies at a repository is not registered (yet). Pure: no Django."""

from enum import StrEnum

from alyx.core.status import Status


class Why(StrEnum):
    """What keeps a file from being registered, in the order in which it is asked."""

    UNSEEN = "unseen"
    OUTSIDE = "outside"
    NO_TYPE = "no_type"
    NO_POLICY = "no_policy"
    NO_SUBJECT = "no_subject"
    SEVERAL_SESSIONS = "several_sessions"
    NO_SESSION = "no_session"
    CHANGING = "changing"
    NO_FLAG = "no_flag"
    TO_COMPRESS = "to_compress"
    NOT_COMPRESSED = "not_compressed"
    DIFFERS = "differs"
    REFUSED = "refused"


SENTENCES: dict[Why, str] = {
    Why.UNSEEN: "It could not be read.",
    Why.OUTSIDE: "It lies in no session's folder, or under a name that cannot be registered.",
    Why.NO_TYPE: "No dataset type or format fits its name.",
    Why.NO_POLICY: "The lab has not said in whose name found files are registered.",
    Why.NO_SUBJECT: "None of the repository's labs has this subject.",
    Why.SEVERAL_SESSIONS: "Several labs of this repository have this subject, or this session.",
    Why.NO_SESSION: "No such session is registered.",
    Why.CHANGING: "It was not yet seen twice with the same size and time.",
    Why.NO_FLAG: "The session's completion flag is not there yet.",
    Why.TO_COMPRESS: "The lab compresses such files first: the copy agent will.",
    Why.NOT_COMPRESSED: "It could not be compressed; it is as it was.",
    Why.DIFFERS: "A dataset of this name is registered with other bytes.",
    Why.REFUSED: "Registration refused it.",
}
"""For people."""

FIXES: dict[Why, str] = {
    Why.UNSEEN: "look at the file system and the rights of the folder",
    Why.OUTSIDE: "move or rename it, or leave it: it is not copied",
    Why.NO_TYPE: "rename it or add a dataset type",
    Why.NO_POLICY: "add an intake policy for the lab",
    Why.NO_SUBJECT: "register the subject, or correct the folder's name",
    Why.SEVERAL_SESSIONS: "register the files from the rig, naming the lab",
    Why.NO_SESSION: "register the session, or let the lab's intake policy make sessions",
    Why.NOT_COMPRESSED: "read the reason; mend the file or its .meta, or register it as it is",
    Why.DIFFERS: "register it as a new version or revision, or put the registered bytes back",
    Why.REFUSED: "read the reason; it is tried again at the next look",
}
"""What somebody can do; a reason without one ends by itself."""

WAITS = frozenset(set(Why) - set(FIXES))


def status_of(why: str) -> Status:
    """How loud it is."""
    return Status.NEUTRAL if why in WAITS else Status.WARNING
