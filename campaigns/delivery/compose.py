"""Rendering a claimed set into outgoing messages. What cannot be rendered fails alone, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from campaigns.channels.message import OutgoingEmail
from campaigns.content import limits
from campaigns.content.render import Renderer, RenderError
from campaigns.delivery.claim import Claimed
from campaigns.delivery.links import MessageLinks
from campaigns.delivery.load import Recipient
from campaigns.delivery.models import Dispatch

MARKETING = "marketing"


@dataclass(slots=True)
class Composed:
    """`emails` by message id, and the facts of those that could not be rendered."""

    emails: dict[int, OutgoingEmail] = field(default_factory=dict)
    broken: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, other: "Composed") -> None:
        self.emails.update(other.emails)
        self.broken.update(other.broken)


def compose(
    messages: Sequence[Claimed],
    *,
    dispatches: Mapping[int, Dispatch],
    renderers: Mapping[int, Renderer | None],
    recipients: Mapping[int, Recipient],
    contexts: Mapping[int, Mapping[str, Any]],
    at: datetime,
) -> Composed:
    """Render these messages. `contexts` are by message id; `renderers` by template version, None for one that is gone.

    Somebody who has no address (any more) gets no email here; the guards will say why.
    """
    done = Composed()
    with limits.batch():
        for message in messages:
            recipient = recipients.get(message.customer_id)
            dispatch = dispatches[message.dispatch_id]
            renderer = renderers.get(dispatch.template_version_id)
            if recipient is None or not recipient.address:
                continue
            if renderer is None:
                done.broken[message.id] = {"part": "template", "problem": "the template version is gone"}
                continue
            try:
                done.emails[message.id] = _email(message, dispatch, renderer, recipient, contexts[message.id], at)
            except RenderError as error:
                done.broken[message.id] = {"part": error.problem.where, "problem": error.problem.problem}
            except Exception as error:  # one message's surprise is not the others' affair
                done.broken[message.id] = {"part": "message", "problem": type(error).__name__}
    return done


def _email(
    message: Claimed,
    dispatch: Dispatch,
    renderer: Renderer,
    recipient: Recipient,
    context: Mapping[str, Any],
    at: datetime,
) -> OutgoingEmail:
    links = MessageLinks(
        message.id,
        message.customer_id,
        dispatch.channel,
        dispatch.purpose,
        recipient.tracked,
        settings.PUBLIC_URL,
    )
    rendered = renderer.render(context, locale=recipient.locale, links=links)
    return OutgoingEmail(
        id=message.id,
        to=recipient.address or "",
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        date=at,
        unsubscribe_url=links.unsubscribe if dispatch.purpose == MARKETING else None,
        feedback_id=f"{dispatch.campaign_key or ''}:{dispatch.flow_key or ''}:{dispatch.step}:{dispatch.sender.key}",
    )
