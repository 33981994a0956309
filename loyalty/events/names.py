"""Pure: how events are named, and the names that only the system itself may write."""

import re

NAME_LENGTH = 100
NAME_REMEDY = f"use 1 to {NAME_LENGTH} of a-z 0-9 _ . : -"
_NAME = re.compile(rf"[a-z0-9_.:-]{{1,{NAME_LENGTH}}}")

# Facts that the packages above write in the transaction of the deed itself; `ref` names the row it is about.
FACTS = {
    "segment.joined": "segment",
    "segment.left": "segment",
    "flow.entered": "enrollment",
    "flow.exited": "enrollment",
    "message.sent": "message",
    "message.failed": "message",
    "message.delivered": "message",
    "message.bounced": "message",
    "message.complained": "message",
    "message.opened": "message",
    "message.clicked": "message",
    "message.unsubscribed": "message",
    "consent.granted": "",
    "consent.withdrawn": "",
    "consent.ageing": "",
    "consent.expired": "",
    "points.earned": "booking",
    "points.released": "booking",
    "points.spent": "booking",
    "points.locked": "booking",
    "points.unlocked": "booking",
    "points.expiring": "lot",
    "points.expired": "booking",
    "points.reversed": "booking",
    "points.refunded": "booking",
    "points.adjusted": "booking",
    "points.transferred": "booking",
    "tier.changed": "tier",
    "member.joined": "member",
    "member.left": "member",
    "program.ending": "member",
    "program.continues": "member",
    "challenge.started": "challenge_run",
    "challenge.completed": "challenge_run",
    "challenge.lapsed": "challenge_run",
    "stamp.given": "stamp_sheet",
    "stamp_card.completed": "stamp_sheet",
    "stamp_card.expired": "stamp_sheet",
    "badge.awarded": "badge",
    "game.played": "game_play",
    "prize.won": "prize_award",
    "quiz.answered": "game_play",
    "card.assigned": "card",
    "card.blocked": "card",
    "card.replaced": "card",
    "receipt.claimed": "receipt",
    "receipt.refused": "receipt_photo",
    "staff.noted": "",
    "voucher.issued": "voucher",
    "voucher.redeemed": "voucher",
    "voucher.returned": "voucher",
    "voucher.expiring": "voucher",
    "offer.activated": "offer",
    "offer.redeemed": "offer",
    "reward.redeemed": "redemption",
    "reward.shipped": "redemption",
    "reward.delivered": "redemption",
    "reward.cancelled": "redemption",
    "reward.won": "redemption",
    "reward.back_in_stock": "reward",
    "wish.reached": "reward",
    "subscription.ordered": "subscription",
    "subscription.started": "subscription",
    "subscription.renewed": "subscription",
    "subscription.payment_failed": "subscription",
    "subscription.cancelled": "subscription",
    "subscription.resumed": "subscription",
    "subscription.ended": "subscription",
    "subscription.withdrawn": "subscription",
}


def fold(name: str) -> str:
    """The one spelling of a name, stripped and in lower case: `Purchase` and `purchase` are one event."""
    return name.strip().lower()


def is_name(name: str) -> bool:
    """Whether a folded name is well formed: 1 to 100 of `a-z 0-9 _ . : -`."""
    return _NAME.fullmatch(name) is not None
