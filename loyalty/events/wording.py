"""What happened, in words: a group, a symbol and a sentence for each event of a timeline.

Facts speak of rows of packages above (`ref`); a package's `timeline.py` (loaded at start) says what these are called:

    @subject("segment")
    def segments(ids: Collection[int]) -> dict[int, Subject]: ...
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from loyalty.events.names import FACTS
from loyalty.kit.admin import localized

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about, for people: its name, and the address of its page in the admin ("" for none)."""

    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One event for people: the title of its type, a whole sentence, the keys of properties that the sentence told."""

    group: str
    icon: str
    title: str
    sentence: str
    url: str = ""
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """How a kind of fact is told: `named` has {subject} where the name of what it is about stands."""

    icon: str
    title: Text
    plain: Text
    named: Text | None = None


GROUPS: dict[str, Text] = {
    "message": _("Messages"),
    "campaign": _("Flows and segments"),
    "consent": _("Consent"),
    "loyalty": _("Points and tiers"),
    "web": _("Website"),
    "other": _("Purchases and more"),
}
WEB = ("page_viewed", "product_viewed", "cart_updated", "page.viewed", "product.viewed", "cart.updated")
_GROUP_OF_PREFIX = {
    "message": "message",
    "segment": "campaign",
    "flow": "campaign",
    "consent": "consent",
    "points": "loyalty",
    "tier": "loyalty",
    "member": "loyalty",
    "program": "loyalty",
    "quiz": "loyalty",
    "staff": "loyalty",
    "challenge": "loyalty",
    "stamp": "loyalty",
    "stamp_card": "loyalty",
    "badge": "loyalty",
    "game": "loyalty",
    "prize": "loyalty",
    "voucher": "loyalty",
    "offer": "loyalty",
    "card": "loyalty",
    "receipt": "loyalty",
    "reward": "loyalty",
    "wish": "loyalty",
    "subscription": "loyalty",
}
_ICON_OF_GROUP = {"loyalty": "loyalty", "web": "language", "other": "bolt"}

FACT_WORDS: dict[str, Told] = {
    "segment.joined": Told(
        "filter_alt", _("Joined a segment"), _("Joined a segment."), _("Joined the segment “%(subject)s”.")
    ),
    "segment.left": Told(
        "filter_alt_off", _("Left a segment"), _("Left a segment."), _("Left the segment “%(subject)s”.")
    ),
    "flow.entered": Told(
        "account_tree", _("Entered a flow"), _("Entered a flow."), _("Entered the flow “%(subject)s”.")
    ),
    "flow.exited": Told("logout", _("Left a flow"), _("Left a flow."), _("Left the flow “%(subject)s”.")),
    "message.sent": Told(
        "send", _("Message sent"), _("A message was sent."), _("The message “%(subject)s” was sent by %(channel)s.")
    ),
    "message.failed": Told(
        "sms_failed",
        _("Message failed"),
        _("A message could not be sent."),
        _("The message “%(subject)s” could not be sent by %(channel)s."),
    ),
    "message.delivered": Told(
        "mark_email_read", _("Message delivered"), _("The provider reported a message as delivered.")
    ),
    "message.bounced": Told("unsubscribe", _("Message bounced"), _("A message came back.")),
    "message.complained": Told("report", _("Reported as spam"), _("The person reported a message as spam.")),
    "message.opened": Told("drafts", _("Message opened"), _("A message was opened.")),
    "message.clicked": Told(
        "ads_click", _("Link clicked"), _("A link in a message was clicked."), _("The link %(subject)s was clicked.")
    ),
    "message.unsubscribed": Told("unsubscribe", _("Unsubscribed"), _("The person unsubscribed through a message.")),
    "consent.granted": Told("verified_user", _("Consent granted"), _("The person consented.")),
    "consent.withdrawn": Told("remove_moderator", _("Consent withdrawn"), _("The person withdrew a consent.")),
    "consent.ageing": Told(
        "notifications_paused", _("Silent for long"), _("Gave no sign of life on a channel for a long time."),
        _("Gave no sign of life by %(channel)s for a long time, last on %(subject)s."),
    ),
    "consent.expired": Told(
        "notifications_off", _("Silent consent ended"), _("A silent consent ended: only a new one allows messages."),
        _("The consent for %(channel)s ended in silence, the last sign was on %(subject)s."),
    ),
    "points.earned": Told(
        "add_circle", _("Points earned"), _("Earned points."), _("Earned %(subject)s points.")
    ),
    "points.released": Told(
        "lock_open", _("Points released"), _("Points can be used now."), _("%(subject)s points can be used now.")
    ),
    "points.spent": Told("redeem", _("Points spent"), _("Spent points."), _("Spent %(subject)s points.")),
    "points.locked": Told(
        "lock", _("Points locked"), _("Points were locked."), _("%(subject)s points were locked.")
    ),
    "points.unlocked": Told(
        "lock_open", _("Points unlocked"), _("Points were unlocked."), _("%(subject)s points were unlocked.")
    ),
    "points.expired": Told(
        "hourglass_disabled", _("Points expired"), _("Points expired."), _("%(subject)s points expired.")
    ),
    "points.reversed": Told(
        "undo", _("Points taken back"), _("Points were taken back."), _("%(subject)s points were taken back.")
    ),
    "points.refunded": Told(
        "undo", _("Points given back"), _("Points were given back."), _("%(subject)s points were given back.")
    ),
    "points.adjusted": Told(
        "tune", _("Points corrected"), _("Points were corrected."), _("Points were corrected by %(subject)s.")
    ),
    "points.transferred": Told(
        "swap_horiz", _("Points transferred"), _("Points were transferred."), _("%(subject)s points were transferred.")
    ),
    "points.expiring": Told(
        "hourglass_top", _("Points expire soon"), _("Points expire soon."), _("%(subject)s points expire soon.")
    ),
    "member.joined": Told("card_membership", _("Joined the program"), _("Joined the program.")),
    "member.left": Told("person_remove", _("Left the program"), _("Left the program.")),
    "program.ending": Told("event_busy", _("Told that the program ends"), _("Was told that the program ends.")),
    "program.continues": Told(
        "event_available", _("Told that the program goes on"), _("Was told that the program goes on after all.")
    ),
    "reward.redeemed": Told(
        "redeem", _("Reward redeemed"), _("Redeemed a reward."), _("Redeemed the reward “%(subject)s”.")
    ),
    "reward.shipped": Told(
        "local_shipping", _("Reward shipped"), _("A reward is on its way."),
        _("The reward “%(subject)s” is on its way."),
    ),
    "reward.delivered": Told(
        "inventory_2", _("Reward delivered"), _("A reward arrived."), _("The reward “%(subject)s” arrived.")
    ),
    "reward.cancelled": Told(
        "undo", _("Reward cancelled"), _("A reward was cancelled."), _("The reward “%(subject)s” was cancelled.")
    ),
    "reward.won": Told("trophy", _("Draw won"), _("Won in a draw."), _("Won with “%(subject)s”.")),
    "reward.back_in_stock": Told(
        "inventory", _("Wish back in stock"), _("A wish is back in stock."), _("“%(subject)s” is back in stock.")
    ),
    "wish.reached": Told(
        "star", _("Wish within reach"), _("Has points enough for a wish."), _("Has points enough for “%(subject)s”.")
    ),
    "challenge.started": Told(
        "flag", _("Challenge started"), _("Started a challenge."), _("Started the challenge “%(subject)s”.")
    ),
    "challenge.completed": Told(
        "trophy", _("Challenge done"), _("Did a challenge."), _("Did the challenge “%(subject)s”.")
    ),
    "challenge.lapsed": Told(
        "timer_off", _("Challenge missed"), _("Ran out of time for a challenge."),
        _("Ran out of time for the challenge “%(subject)s”."),
    ),
    "stamp.given": Told("approval", _("Stamped"), _("Got stamps."), _("Got stamps on “%(subject)s”.")),
    "stamp_card.completed": Told(
        "task_alt", _("Stamp card full"), _("Filled a stamp card."), _("Filled the stamp card “%(subject)s”.")
    ),
    "stamp_card.expired": Told(
        "hourglass_disabled", _("Stamps expired"), _("Stamps expired."), _("Stamps on “%(subject)s” expired.")
    ),
    "card.assigned": Told("add_card", _("Card assigned"), _("Got a card."), _("Got the card %(subject)s.")),
    "card.blocked": Told(
        "credit_card_off", _("Card blocked"), _("A card was blocked."), _("The card %(subject)s was blocked.")
    ),
    "card.replaced": Told(
        "credit_card", _("Card replaced"), _("A card was replaced."), _("The card was replaced by %(subject)s.")
    ),
    "receipt.claimed": Told("receipt_long", _("Receipt claimed"), _("Claimed a receipt.")),
    "receipt.refused": Told("receipt_long_off", _("Receipt refused"), _("A photo of a receipt was refused.")),
    "staff.noted": Told("sticky_note_2", _("Note of the staff"), _("The staff noted something.")),
    "badge.awarded": Told("workspace_premium", _("Badge won"), _("Won a badge."), _("Won the badge “%(subject)s”.")),
    "game.played": Told("casino", _("Game played"), _("Played a game."), _("Played “%(subject)s”.")),
    "quiz.answered": Told("quiz", _("Quiz answered"), _("Answered a quiz."), _("Answered the quiz “%(subject)s”.")),
    "prize.won": Told("celebration", _("Prize won"), _("Won a prize."), _("Won: %(subject)s.")),
    "tier.changed": Told(
        "military_tech", _("Tier changed"), _("The tier changed."), _("The tier is now “%(subject)s”.")
    ),
    "voucher.issued": Told(
        "confirmation_number", _("Voucher issued"), _("Got a voucher."), _("Got a voucher “%(subject)s”.")
    ),
    "voucher.redeemed": Told(
        "shopping_bag", _("Voucher redeemed"), _("Redeemed a voucher."), _("Redeemed a voucher “%(subject)s”.")
    ),
    "voucher.returned": Told(
        "undo", _("Voucher given back"), _("A voucher came back with a purchase."),
        _("A voucher “%(subject)s” came back with a purchase.")
    ),
    "voucher.expiring": Told(
        "hourglass_top", _("Voucher ends soon"), _("A voucher ends soon."), _("A voucher “%(subject)s” ends soon.")
    ),
    "offer.activated": Told(
        "touch_app", _("Offer activated"), _("Activated an offer."), _("Activated the offer “%(subject)s”.")
    ),
    "offer.redeemed": Told(
        "local_offer", _("Offer used"), _("Used an offer."), _("Used the offer “%(subject)s”.")
    ),
    "subscription.ordered": Told("contract", _("Membership ordered"), _("Ordered a paid membership.")),
    "subscription.started": Told("verified", _("Membership began"), _("The paid membership began.")),
    "subscription.renewed": Told("autorenew", _("Membership goes on"), _("The paid membership goes on.")),
    "subscription.payment_failed": Told("credit_card_off", _("Payment failed"), _("A payment for it failed.")),
    "subscription.cancelled": Told("cancel", _("Membership cancelled"), _("Cancelled the paid membership.")),
    "subscription.resumed": Told("undo", _("Cancellation taken back"), _("Keeps the paid membership.")),
    "subscription.ended": Told("event_busy", _("Membership ended"), _("The paid membership ended.")),
    "subscription.withdrawn": Told("undo", _("Membership withdrawn"), _("Withdrew from the paid membership.")),
}  # fmt: skip
_WEB_WORDS: dict[str, Told] = {
    "page_viewed": Told("web", _("Page viewed"), _("Looked at a page."), _("Looked at the page %(subject)s.")),
    "product_viewed": Told(
        "visibility", _("Product viewed"), _("Looked at a product."), _("Looked at the product %(subject)s.")
    ),
    "cart_updated": Told("shopping_cart", _("Cart changed"), _("Changed the cart.")),
    "purchase": Told("shopping_bag", _("Purchase"), _("Bought something."), _("Bought for %(subject)s.")),
}
# Where the name of what an event is about stands, when it is no row of ours.
_SUBJECT_KEYS = {
    "message.clicked": ("url",),
    "message.sent": ("step",),
    "message.failed": ("step",),
    "page_viewed": ("title", "url"),
    "product_viewed": ("name", "title", "sku"),
    "purchase": ("amount",),
    "tier.changed": ("tier", "to"),
    "consent.ageing": ("last_sign",),
    "consent.expired": ("last_sign",),
}
_CHANNELS: dict[str, Text] = {
    "email": _("email"),
    "sms": _("text message"),
    "whatsapp": _("WhatsApp"),
    "telegram": _("Telegram"),
    "push": _("push notification"),
    "letter": _("letter"),
    "webhook": _("webhook"),
}
CHANNELS = tuple(_CHANNELS)


def channels() -> list[tuple[str, Text]]:
    """Channels by key with what people call them."""
    return list(_CHANNELS.items())


Name = Callable[[Collection[int]], Mapping[int, Subject]]
_subjects: dict[str, Name] = {}


def subject(kind: str) -> Callable[[Name], Name]:
    """Decorator: the function names rows of `kind` (a value of `names.FACTS`), a fixed number of queries for all;
    raises ValueError for a second one."""

    def decorate(name: Name) -> Name:
        if kind in _subjects:
            raise ValueError(f"{kind} is named twice")
        _subjects[kind] = name
        return name

    return decorate


def subjects(facts: Iterable[tuple[str, int | None]]) -> dict[tuple[str, int], Subject]:
    """What facts are about, by (kind, ref); one call per kind."""
    wanted: dict[str, set[int]] = {}
    for name, ref in facts:
        kind = FACTS.get(name, "")
        if ref is not None and kind in _subjects:
            wanted.setdefault(kind, set()).add(ref)
    return {(kind, ref): one for kind, refs in wanted.items() for ref, one in _subjects[kind](refs).items()}


def group_of(name: str) -> str:
    """The group of `GROUPS` that an event belongs to."""
    if name in FACTS:
        return _GROUP_OF_PREFIX.get(name.partition(".")[0], "other")
    return "web" if name in WEB else "other"


def names_in(groups: Collection[str], known: Iterable[str]) -> list[str]:
    """The event names, of all that exist, that belong to these groups."""
    return [name for name in known if group_of(name) in groups]


def title_of(name: str, title: Mapping[str, str] | None = None) -> str:
    """What people call a type: what they wrote down, else our own words, else its name."""
    if title:
        return localized(dict(title), name)
    told = FACT_WORDS.get(name) or _WEB_WORDS.get(name)
    return str(told.title) if told else name


def words(
    name: str,
    properties: Mapping[str, Any],
    *,
    title: Mapping[str, str] | None = None,
    about: Subject | None = None,
) -> Words:
    """One event in the active language; `about` is what `subjects` found for it."""
    group = group_of(name)
    told = FACT_WORDS.get(name) or _WEB_WORDS.get(name)
    shown = title_of(name, title)
    if told is None or title:
        return Words(group, told.icon if told else _ICON_OF_GROUP.get(group, "bolt"), shown, shown)
    named, keys = (about.name, frozenset[str]()) if about else _named(name, properties)
    channel = _CHANNELS.get(str(properties.get("channel")))
    parts = {"subject": named, "channel": str(channel or "")}
    needs_channel = told.named is not None and "%(channel)s" in str(told.named)
    if named and told.named is not None and (channel or not needs_channel):
        sentence = str(told.named) % parts
        keys |= {"channel"} if needs_channel else set()
    else:
        sentence, keys = str(told.plain), frozenset()
    return Words(group, told.icon, shown, sentence, about.url if about else "", keys)


def _named(name: str, properties: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    keys: Sequence[str] = ("points",) if name.startswith("points.") else _SUBJECT_KEYS.get(name, ())
    for key in keys:
        value = properties.get(key)
        if isinstance(value, bool) or value in (None, ""):
            continue
        if key == "last_sign":
            return _day(str(value)), frozenset({key})
        if name == "purchase":
            currency = properties.get("currency")
            amount = number_format(value, force_grouping=True) if isinstance(value, int | float) else str(value)
            return (f"{amount} {currency}", frozenset({key, "currency"})) if currency else (amount, frozenset({key}))
        if isinstance(value, int | float):
            return number_format(value, force_grouping=True), frozenset({key})
        return str(value)[:120], frozenset({key})
    return "", frozenset()


def _day(written: str) -> str:
    try:
        return date_format(date.fromisoformat(written[:10]), "SHORT_DATE_FORMAT")
    except ValueError:
        return written[:120]


def late(seconds: float) -> str:
    """A length of time in one rounded unit, for lateness: "5 min"."""
    for unit, text in ((86_400, gettext("%d d")), (3600, gettext("%d h")), (60, gettext("%d min"))):
        if seconds >= unit:
            return text % round(seconds / unit)
    return pgettext("seconds", "%d s") % round(seconds)
