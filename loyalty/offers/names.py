"""Pure: the states of vouchers and of what was made of them, the accounts of gift cards, why a code is refused."""

STOCK, ISSUED, VOID = 0, 1, 2
STATES = {STOCK: "stock", ISSUED: "issued", VOID: "void"}

RESERVED, REDEEMED, RELEASED, RETURNED = "reserved", "redeemed", "released", "returned"

# Money of a gift card moves from one of these to another; all of them together are always zero.
SOLD, AVAILABLE, HELD, SPENT, LAPSED = 1, 2, 3, 4, 5
ACCOUNTS = {SOLD: "sold", AVAILABLE: "available", HELD: "held", SPENT: "spent", LAPSED: "lapsed"}

FACTS = (
    "voucher.issued",
    "voucher.redeemed",
    "voucher.returned",
    "voucher.expiring",
    "offer.activated",
    "offer.redeemed",
)
