"""A message as its template makes it, for people to look at; what went out is kept by nobody, so it is made anew."""

from django.utils.translation import gettext

from campaigns.channels.names import CHANNELS
from campaigns.content import preview, queries
from campaigns.content.preview import Preview
from campaigns.content.render import RenderError
from campaigns.delivery import load
from campaigns.delivery.claim import Claimed
from campaigns.delivery.models import Dispatch, Message
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem


def shown(message: Message) -> tuple[Preview, list[tuple[str, str]]]:
    """The message with plain links, from the version it is sent with and what is known of the person now, and its
    headers; raises RenderError. Three queries and a child process (0.3 s)."""
    dispatch = Dispatch.objects.select_related("sender").get(pk=message.dispatch_id)
    claimed = Claimed(message.pk, message.customer_id, dispatch.pk, message.attempt)
    values = load.contexts([claimed], {dispatch.pk: dispatch}, message.started_at or now()).get(message.pk)
    if values is None:
        raise RenderError(Problem("", gettext("The person was erased, so the message cannot be shown any more.")))
    try:
        content = queries.compiled(dispatch.template_version_id)
    except LookupError:
        raise RenderError(Problem("", gettext("The version of the template is gone."))) from None
    customer = values["customer"]
    made = preview.render(content, values, locale=customer.get("locale"))
    address = CHANNELS[dispatch.channel].address
    settings = dispatch.sender.settings
    name, email = settings.get("from_name"), settings.get("from_email")
    origin = f"{name} <{email}>" if name and email else email or name or dispatch.sender.key
    headers = [
        (gettext("From"), str(origin)),
        (gettext("To"), str(customer.get(address) or "–") if address else "–"),
        (gettext("Language"), made.locale),
    ]
    return made, headers
