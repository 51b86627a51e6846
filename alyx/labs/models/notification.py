"""What people are told. A notification is written in the transaction of its cause; a job delivers it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited
from alyx.core.models import AboutAnyRecord
from alyx.core.records import Record
from alyx.labs.models.people import Lab


class NotificationKind(models.TextChoices):
    """What it is about. The apps above write them; here stand their names, because rules of people name them."""

    UNDERWEIGHT = "underweight", "underweight"
    WATER_DUE = "water_due", "water still to give"
    NOT_WEIGHED = "not_weighed", "not weighed today"
    POST_OP = "post_op", "after surgery"
    RESPONSIBLE_CHANGED = "responsible_changed", "responsible user changed"
    REQUEST_OPENED = "request_opened", "subject request opened"
    REQUEST_ASSIGNED = "request_assigned", "subject request assigned"
    DIGEST = "digest", "morning digest"
    RIG_SILENT = "rig_silent", "rig silent"
    NIGHT_REPORT = "night_report", "last night's transfers"
    NIGHT_ESCALATED = "night_escalated", "trouble of the night, passed on"
    ALARM = "alarm", "the server's own alarm"
    REPOSITORY_TROUBLE = "repository_trouble", "repository not ready for the night"


class RuleScope(models.TextChoices):
    """Whose animals a person wants to hear about."""

    NONE = "none", "nothing"
    MINE = "mine", "my animals"
    LAB = "lab", "my labs' animals"
    ALL = "all", "all animals"


class DeliveryState(models.TextChoices):
    """How far the mail to one person is."""

    WAITING = "waiting", "waiting to be sent"
    SENDING = "sending", "being sent"
    SENT = "sent", "sent"
    UNSURE = "unsure", "the sender died while sending: it may have left"
    FAILED = "failed", "given up"
    MUTED = "muted", "not sent: muted"
    PAGE_ONLY = "page_only", "on the page only: no e-mail address"


@audited()
class Notification(AboutAnyRecord):
    """One thing to tell, about a record (an animal, a request). `key` is its natural key: the same news is one row."""

    kind = models.CharField(max_length=32, choices=NotificationKind)
    key = models.CharField(max_length=255, unique=True, editable=False)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="notifications")
    status = models.CharField(max_length=16, default="neutral", help_text="one of alyx.core.status")
    title = models.CharField(max_length=255)
    text = models.TextField()
    facts = models.JSONField(default=dict, blank=True)

    class Meta(AboutAnyRecord.Meta):
        ordering = ["-created_at", "id"]
        indexes = [
            *AboutAnyRecord.Meta.indexes,
            models.Index(fields=["kind", "object_id", "-created_at"], name="notification_lately"),
        ]

    def __str__(self) -> str:
        return self.title


@audited(exclude=["leased_until"])
class Delivery(Record):
    """A notification on its way to one person."""

    notification = models.ForeignKey(Notification, on_delete=models.PROTECT, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="when the person saw or dismissed it on the page")

    class Meta(Record.Meta):
        ordering = ["-created_at", "id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["notification", "user"], name="one_delivery_per_person"),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at__isnull=True)),
                name="sent_at_iff_sent",
            ),
        ]
        indexes = [
            models.Index(
                fields=["not_before", "id"], condition=Q(state__in=["waiting", "sending"]), name="deliveries_to_send"
            )
        ]

    def __str__(self) -> str:
        return f"{self.notification} to {self.user}"


@audited()
class NotificationRule(Record):
    """What a person wants to be told, by kind. Without a rule the responsible user is told."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_rules")
    kind = models.CharField(max_length=32, choices=NotificationKind)
    scope = models.CharField(max_length=8, choices=RuleScope, default=RuleScope.MINE)

    class Meta(Record.Meta):
        ordering = ["user", "kind"]
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_rule_per_person_and_kind")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()} for {self.get_scope_display()}"


@audited()
class Mute(Record):
    """A person wants silence: about one record (`object_id`) or about everything of a kind, until a time."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mutes")
    kind = models.CharField(max_length=32, choices=NotificationKind, blank=True, default="", help_text="empty: all")
    object_id = models.UUIDField(null=True, blank=True, help_text="empty: every record")
    until = models.DateTimeField(null=True, blank=True, help_text="empty: until it is taken away")
    reason = models.CharField(max_length=255, blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["user", "-created_at"]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind or 'everything'} muted"
