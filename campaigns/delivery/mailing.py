"""Single mails for the packages of `loyalty`, which know no outbox: through the same one as all others."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from campaigns.channels.models import Sender
from campaigns.content import queries as content
from campaigns.content.definition import read
from campaigns.content.operations import save_template
from campaigns.delivery.single import Single, send_singles
from loyalty.kit.mailing import Letter, Mail, keep_outbox


class Singles:
    """Mails without a flow."""

    def send(self, mail: Mail, letters: Sequence[Letter], *, now: datetime) -> list[int]:
        with transaction.atomic():
            ensure_template(mail, now=now)
            people = [Single(letter.customer_id, letter.event) for letter in letters]
            return send_singles(template=mail.key, step=mail.key, people=people, now=now)


def ensure_template(mail: Mail, *, now: datetime) -> None:
    """Make the built-in template where there is none; one that was edited stays as it is."""
    if content.current(mail.key) is not None:
        return
    # The oldest sender is named, so that a second one later leaves no doubt; another one is named by editing.
    sender = Sender.objects.filter(channel="email").order_by("id").values_list("key", flat=True).first()
    document = read(
        {
            "kind": "template",
            "key": mail.key,
            "name": dict(mail.name),
            "channel": "email",
            "purpose": "transactional",
            **({"sender": sender} if sender else {}),
            "locales": {
                language: {
                    "subject": subject,
                    "body": (mail.folder / f"{mail.key}.{language}.mjml").read_text(encoding="utf-8"),
                }
                for language, subject in mail.subjects.items()
            },
        }
    )
    try:
        with transaction.atomic():
            save_template(document, now=now)
    except IntegrityError:
        return  # somebody else made it at this moment


keep_outbox(Singles())
