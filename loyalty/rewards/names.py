"""Pure: the types of rewards, the states of redemptions and which state follows which."""

PHYSICAL, DIGITAL, SERVICE, EVENT, DONATION = "physical", "digital", "service", "event", "donation"
CASHBACK, GIFT_CARD, BUNDLE, DRAW_TICKET = "cashback", "gift_card", "bundle", "draw_ticket"
TYPES = (PHYSICAL, DIGITAL, SERVICE, EVENT, DONATION, CASHBACK, GIFT_CARD, BUNDLE, DRAW_TICKET)
# Their `value` is money that somebody gets.
VALUABLE = (DONATION, CASHBACK, GIFT_CARD)
# Those that happen at an hour.
TIMED = (SERVICE, EVENT)

ORDERED, APPROVED, PACKED, SHIPPED = "ordered", "approved", "packed", "shipped"
DELIVERED, CANCELLED = "delivered", "cancelled"
STATES = (ORDERED, APPROVED, PACKED, SHIPPED, DELIVERED, CANCELLED)
OPEN = (ORDERED, APPROVED, PACKED, SHIPPED)
# A member may still cancel; later only the staff can.
REVOCABLE = (ORDERED, APPROVED)

_PARCEL = {
    ORDERED: (APPROVED, PACKED, SHIPPED),
    APPROVED: (PACKED, SHIPPED),
    PACKED: (SHIPPED,),
    SHIPPED: (DELIVERED,),
}
_OTHERS = {ORDERED: (APPROVED, DELIVERED), APPROVED: (DELIVERED,)}

# What the timeline is told, by the state that was reached.
FACT_OF = {
    SHIPPED: "reward.shipped",
    DELIVERED: "reward.delivered",
    CANCELLED: "reward.cancelled",
}


def following(kind: str, state: str) -> tuple[str, ...]:
    """The states that may follow, cancelling apart: only parcels are packed and shipped."""
    return (_PARCEL if kind == PHYSICAL else _OTHERS).get(state, ())


def before(kind: str, state: str) -> tuple[str, ...]:
    """The states from which that one may be reached."""
    return tuple(one for one in STATES if state in following(kind, one))
