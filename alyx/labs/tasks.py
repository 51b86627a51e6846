"""The jobs of mail, of rigs, and of policies that begin by themselves. Rows decide; a message that is lost or doubled changes nothing."""

from alyx.core.journal import pictures
from alyx.core.rest import idempotency
from alyx.core.tasks import enqueue_on_commit, job
from alyx.labs import mailing, rigs
from alyx.labs.policies import mirror_policies


@job(name="labs.tasks.tick")
def tick() -> None:
    """Rigs that stay silent are told of. Mails whose sender died become unsure; a sender is woken when something is due.
    A policy may begin by itself."""
    rigs.raise_alarms()
    if mailing.tick():
        enqueue_on_commit(deliver)
    mirror_policies()


@job(name="labs.tasks.deliver", queue="mail")
def deliver() -> None:
    """Send what is due."""
    mailing.send_due()


@job(name="labs.tasks.sweep")
def sweep() -> None:
    """Forget the stored answers to calls that nobody will repeat any more, and tablets' pictures that were used long ago."""
    idempotency.sweep()
    pictures.sweep()
