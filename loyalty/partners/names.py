"""Pure: the accounts of the settlement with partners, and what moves money between them.

Every entry takes an amount from one account and gives it to another, so all accounts together are always zero. The
first two are the partner's: what it owes us, not yet or already on a statement; below 0 we owe it. The rest are ours.
"""

UNBILLED, BILLED = 1, 2
FUND, REDEEMED, FEES, TAX, ROUNDING, BANK = 11, 12, 13, 14, 15, 16
ACCOUNTS = {
    UNBILLED: "unbilled",
    BILLED: "billed",
    FUND: "points_fund",
    REDEEMED: "redeemed",
    FEES: "fees",
    TAX: "tax",
    ROUNDING: "rounding",
    BANK: "bank",
}

ISSUE, RETURN, BURN, REFUND, FEE, FEE_BACK, STATEMENT, ROUND, TAXED, PAYMENT = range(1, 11)
KINDS = {
    ISSUE: "issue",
    RETURN: "return",
    BURN: "burn",
    REFUND: "refund",
    FEE: "fee",
    FEE_BACK: "fee_back",
    STATEMENT: "statement",
    ROUND: "rounding",
    TAXED: "tax",
    PAYMENT: "payment",
}
# What a booking of points brings about; the rest is made by statements and payments.
TRADE = (ISSUE, RETURN, BURN, REFUND, FEE, FEE_BACK)
# By what the amount of a kind changes what the partner owes.
SIGN = {ISSUE: 1, RETURN: -1, BURN: -1, REFUND: 1, FEE: 1, FEE_BACK: -1}

# The facts of the points ledger after which there may be something to settle.
LEDGER_FACTS = ("points.earned", "points.spent", "points.reversed", "points.refunded")
CONSUMER = "partners"
SCOPE = "partner"
