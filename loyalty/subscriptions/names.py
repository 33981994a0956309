"""Pure: the states of a paid membership, of its charges and of what people declare about it."""

ORDERED, TRIAL, ACTIVE, PAST_DUE = "ordered", "trial", "active", "past_due"
CANCELLED, ENDED, WITHDRAWN = "cancelled", "ended", "withdrawn"
STATES = (ORDERED, TRIAL, ACTIVE, PAST_DUE, CANCELLED, ENDED, WITHDRAWN)
# The contract runs; one that is cancelled runs to its end.
RUNNING = (ORDERED, TRIAL, ACTIVE, PAST_DUE, CANCELLED)

FEE, REFUND = "fee", "refund"
DUE, PAID, FAILED, VOID = "due", "paid", "failed", "void"
CHARGE_STATES = (DUE, PAID, FAILED, VOID)
OPEN = (DUE, FAILED)

CANCEL, WITHDRAW = "cancel", "withdraw"
WAITING, DONE, UNMATCHED, SETTLED = "waiting", "done", "unmatched", "settled"
DECLARATION_STATES = (WAITING, DONE, UNMATCHED, SETTLED)

POINTS, VOUCHER = "points", "voucher"
LETTERS = ("ordered", "declared", "reminder", "payment", "price")
