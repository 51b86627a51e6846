"""The records below `/transfers`, and the bodies its actions take."""

from rest_framework import serializers


class TransferWindow(serializers.Serializer[object]):
    """A repository's night."""

    id = serializers.UUIDField()
    repository = serializers.CharField()
    local_date = serializers.DateField()
    kind = serializers.CharField()
    state = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class TransferJob(serializers.Serializer[object]):
    """Items sent together."""

    id = serializers.UUIDField()
    backend = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    destination = serializers.CharField()
    window = serializers.UUIDField(allow_null=True)
    remote_id = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    files_total = serializers.IntegerField()
    bytes_total = serializers.IntegerField()
    held_by = serializers.CharField()
    taken_over = serializers.IntegerField(help_text="how often a worker took it over from one that had died")
    created_at = serializers.DateTimeField()
    last_progress_at = serializers.DateTimeField(allow_null=True)


class TransferItem(serializers.Serializer[object]):
    """One copy of one file on its way."""

    id = serializers.UUIDField()
    dataset = serializers.UUIDField()
    content_version = serializers.IntegerField()
    path = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    destination = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    state = serializers.CharField()
    job = serializers.UUIDField(allow_null=True)
    attempts = serializers.IntegerField()
    not_before = serializers.DateTimeField()
    error_code = serializers.CharField()
    error = serializers.CharField()
    next = serializers.CharField(help_text="what follows, in words")
    who = serializers.CharField(help_text="who has to act")
    updated_at = serializers.DateTimeField()


class TransferAttempt(serializers.Serializer[object]):
    """One try at an item, and its evidence."""

    id = serializers.IntegerField()
    item = serializers.UUIDField()
    job = serializers.UUIDField(allow_null=True)
    number = serializers.IntegerField()
    ended_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    error_code = serializers.CharField()
    evidence = serializers.DictField()


class TransferEvent(serializers.Serializer[object]):
    """A state that a window, job or item took. Further field: `from`, the state before ("" at its birth)."""

    seq = serializers.IntegerField()
    kind = serializers.CharField(help_text="window, job or item")
    about = serializers.UUIDField(help_text="its id")
    at = serializers.DateTimeField()
    to = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    by = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class TransferScan(serializers.Serializer[object]):
    """A search for files that nobody has registered: one repository, one night (or by hand, or the copy agent's day)."""

    id = serializers.UUIDField()
    repository = serializers.CharField()
    kind = serializers.CharField()
    local_date = serializers.DateField()
    state = serializers.CharField()
    passes = serializers.IntegerField()
    files = serializers.IntegerField(help_text="seen in this pass")
    known = serializers.IntegerField(help_text="were registered already")
    waiting = serializers.IntegerField(help_text="not registered, and will be by itself")
    left = serializers.IntegerField(help_text="not registered, and somebody has to see why")
    registered = serializers.IntegerField()
    sessions_made = serializers.IntegerField()
    problem = serializers.CharField()


class TransferFound(serializers.Serializer[object]):
    """A file that lies at a repository and is not registered, why, and what to do."""

    id = serializers.UUIDField()
    repository = serializers.CharField()
    lab = serializers.CharField(allow_null=True)
    path = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    since = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    why = serializers.CharField()
    says = serializers.CharField()
    do = serializers.CharField(help_text="empty: it ends by itself")
    detail = serializers.CharField()


class TransferNeed(serializers.Serializer[object]):
    """Trouble of one kind at one place: what must be done, and by whom."""

    key = serializers.CharField()
    lab = serializers.CharField()
    about = serializers.CharField()
    code = serializers.CharField()
    title = serializers.CharField()
    who = serializers.CharField()
    do = serializers.CharField()
    turn = serializers.CharField(help_text="person: somebody has to act; itself: it goes on without anybody")
    count = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)
    next_at = serializers.DateTimeField(allow_null=True)
    said = serializers.CharField()
    is_ignored = serializers.BooleanField()
    escalated_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()
    examples = serializers.ListField()


class TransferNight(serializers.Serializer[object]):
    """How far a lab's night came."""

    lab = serializers.CharField()
    local_date = serializers.DateField(allow_null=True)
    says = serializers.CharField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    is_open = serializers.BooleanField()
    unprotected_since = serializers.DateTimeField(allow_null=True)
    needs = serializers.IntegerField()
    taken_over = serializers.IntegerField()
    parts = serializers.DictField(
        help_text="expected, moved, verified, failed, moving, not_begun, waiting (its repository is out of use), "
        "replaced: files, bytes, sessions"
    )


class TransferRetry(serializers.Serializer[object]):
    """What to try again: items, or a need, or all that failed in a lab."""

    items = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    need = serializers.CharField(required=False)
    lab = serializers.CharField(required=False)
    now = serializers.BooleanField(
        required=False, help_text="open the sources by hand instead of waiting for the night"
    )
    as_of = serializers.DateTimeField(required=False, help_text="leave alone what changed after this")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)


class TransferDecision(serializers.Serializer[object]):
    """A need that is left, or passed on, and why."""

    need = serializers.CharField()
    reason = serializers.CharField(max_length=500)
    as_of = serializers.DateTimeField(required=False)


class TransferVerify(serializers.Serializer[object]):
    """The dataset whose copies are read back, and which of them (none named: all)."""

    dataset = serializers.UUIDField()
    copies = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=1000)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)
