"""Pure: the accounts of the ledger and the kinds of bookings.

Every entry takes points from one account and gives them to another, so all accounts together are always zero. A member
has the first four; the rest belong to the program. Points that a member owes (a return after they were spent) stand on
OWED, which is never positive.
"""

PENDING, ACTIVE, LOCKED, OWED = 1, 2, 3, 4
ISSUED, SPENT, EXPIRED, REVERSED, ADJUSTED, TRANSIT, OPENING = 11, 12, 13, 14, 15, 16, 17

ACCOUNTS = {
    PENDING: "pending",
    ACTIVE: "active",
    LOCKED: "locked",
    OWED: "owed",
    ISSUED: "issued",
    SPENT: "spent",
    EXPIRED: "expired",
    REVERSED: "reversed",
    ADJUSTED: "adjusted",
    TRANSIT: "transit",
    OPENING: "opening",
}
# Where the points of a lot can be, by column; whatever went elsewhere (to a debt, another member) is in `moved`.
LOT_ACCOUNTS = {
    PENDING: "pending",
    ACTIVE: "active",
    LOCKED: "locked",
    SPENT: "spent",
    EXPIRED: "expired",
    REVERSED: "reversed",
}
MEMBER_ACCOUNTS = (PENDING, ACTIVE, LOCKED, OWED)

PURCHASE, RETURN, VOID, EVENT, OCCASION = "purchase", "return", "void", "event", "occasion"
RELEASE, EXPIRE, SPEND, LOCK, UNLOCK, CAPTURE = "release", "expire", "spend", "lock", "unlock", "capture"
TRANSFER, ADJUST, IMPORT, SETTLE, FORFEIT = "transfer", "adjust", "import", "settle", "forfeit"
KINDS = (
    PURCHASE, RETURN, VOID, EVENT, OCCASION, RELEASE, EXPIRE, SPEND, LOCK, UNLOCK, CAPTURE,
    TRANSFER, ADJUST, IMPORT, SETTLE, FORFEIT,
)  # fmt: skip
# Bookings whose points count for a tier.
EARNING = (PURCHASE, EVENT, OCCASION)

# Facts after which a balance is another one; what segments about points listen to.
BALANCE_FACTS = (
    "points.earned",
    "points.released",
    "points.spent",
    "points.locked",
    "points.unlocked",
    "points.expired",
    "points.reversed",
    "points.refunded",
    "points.adjusted",
    "points.transferred",
)
RETURNED_EVENT = "purchase.returned"
