"""The ledger once more, in plain Python over lists: one program, one wallet, one rule (a point for each whole euro)."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

PENDING, ACTIVE, SPENT, EXPIRED, REVERSED, MOVED = "pending", "active", "spent", "expired", "reversed", "moved"


@dataclass
class TwinLot:
    number: int
    earned: datetime
    releases: datetime | None
    expires: datetime
    at: dict[str, int]

    def move(self, source: str, target: str, points: int) -> None:
        self.at[source] = self.at.get(source, 0) - points
        self.at[target] = self.at.get(target, 0) + points

    def has(self, place: str) -> int:
        return self.at.get(place, 0)


@dataclass
class TwinPurchase:
    owner: str
    lines: list[tuple[Decimal, int]]  # amount, quantity
    lot: TwinLot | None
    parts: list[int]
    paid: list[tuple[TwinLot, int]]
    back: list[int]


@dataclass
class TwinMember:
    lots: list[TwinLot] = field(default_factory=list)
    owed: int = 0

    def total(self, place: str) -> int:
        return sum(lot.has(place) for lot in self.lots)

    @property
    def free(self) -> int:
        return max(0, self.total(ACTIVE) - self.owed)

    def take(self, points: int, target: str) -> list[tuple[TwinLot, int]]:
        taken = []
        for lot in sorted(self.lots, key=lambda lot: (lot.expires, lot.earned, lot.number)):
            part = min(lot.has(ACTIVE), points)
            if part > 0:
                lot.move(ACTIVE, target, part)
                taken.append((lot, part))
                points -= part
        return taken

    def settle(self) -> None:
        paid = sum(part for _, part in self.take(min(self.owed, self.total(ACTIVE)), MOVED))
        self.owed -= paid


def whole(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


class Twin:
    """`expiry` tells when points of an instant expire; `lapses`: what nothing releases is taken back then.

    `home` are those who spend together; `taken` is who spent whose points (spender, owner, month, points).
    """

    def __init__(self, expiry, pending, lapses: bool = False, limit: int = 0) -> None:  # type: ignore[no-untyped-def]
        self.members: dict[str, TwinMember] = {}
        self.purchases: dict[str, TwinPurchase] = {}
        self.expiry, self.pending, self.numbers, self.lapses, self.limit = expiry, pending, 0, lapses, limit
        self.home: list[str] = []
        self.owner: str | None = None
        self.taken: list[tuple[str, str, tuple[int, int], int]] = []

    def new_lot(self, who: str, points: int, place: str, now: datetime, expires: datetime) -> TwinLot:
        self.numbers += 1
        lot = TwinLot(self.numbers, now, None, expires, {place: points})
        self.members[who].lots.append(lot)
        return lot

    def buy(self, key: str, who: str, lines: list[tuple[Decimal, int]], spend: int, now: datetime) -> bool:
        member = self.members.setdefault(who, TwinMember())
        if spend > member.free:
            return False
        paid = member.take(spend, SPENT)
        points, upto, parts = whole(sum((a for a, _ in lines), Decimal(0))), Decimal(0), []
        for amount, _ in lines:
            parts.append(whole(upto + amount) - whole(upto))
            upto += amount
        lot = self.new_lot(who, points, PENDING, now, self.expiry(now)) if points else None
        if lot:
            lot.releases = now + self.pending
        self.purchases[key] = TwinPurchase(who, lines, lot, parts, paid, [0] * len(lines))
        member.settle()
        return True

    def give_back(self, key: str, quantities: dict[int, int]) -> bool:
        one = self.purchases[key]
        rest = {i: q - one.back[i] for i, (_, q) in enumerate(one.lines)}
        quantities = quantities or {i: left for i, left in rest.items() if left}
        if not quantities or any(n > rest[i] or n <= 0 for i, n in quantities.items()):
            return False
        early = [Decimal(b) / q for b, (_, q) in zip(one.back, one.lines, strict=True)]
        for i, n in quantities.items():
            one.back[i] += n
        late = [Decimal(b) / q for b, (_, q) in zip(one.back, one.lines, strict=True)]
        member = self.members[one.owner]
        if one.lot:
            self._reverse(one, member, early, late)
        self._refund(one, early, late)
        member.settle()
        return True

    def _reverse(self, one: TwinPurchase, member: TwinMember, early: list[Decimal], late: list[Decimal]) -> None:
        lot = one.lot
        assert lot
        points = sum(whole(p * y) - whole(p * x) for p, x, y in zip(one.parts, early, late, strict=True))
        for place in (PENDING, ACTIVE):
            part = min(lot.has(place), points)
            lot.move(place, REVERSED, part)
            points -= part
        owed = min(points, max(0, lot.has(SPENT) + lot.has(MOVED)))
        lot.move(MOVED, REVERSED, owed)
        member.owed += owed

    def _refund(self, one: TwinPurchase, early: list[Decimal], late: list[Decimal]) -> None:
        spent, total, start = sum(n for _, n in one.paid), sum((a for a, _ in one.lines), Decimal(0)), 0

        def portion(upto: list[Decimal]) -> int:
            if all(share == 1 for share in upto):
                return spent
            if not total:
                return 0
            return whole(spent * (sum((a * s for (a, _), s in zip(one.lines, upto, strict=True)), Decimal(0)) / total))

        low, high = portion(early), portion(late)
        for lot, part in one.paid:
            share = min(high, start + part) - max(low, start)
            if share > 0:
                lot.move(SPENT, ACTIVE, share)
            start += part

    def spend(self, who: str, points: int) -> bool:
        if points > self.members[who].free:
            return False
        self.members[who].take(points, SPENT)
        return True

    def transfer(self, giver: str, taker: str, points: int) -> bool:
        if giver == taker or points > self.members[giver].free:
            return False
        for lot, part in self.members[giver].take(points, MOVED):
            self.new_lot(taker, part, ACTIVE, lot.earned, lot.expires)
        self.members[taker].settle()
        return True

    def deliver(self, key: str) -> None:
        lot = self.purchases[key].lot
        if lot:
            lot.move(PENDING, ACTIVE, lot.has(PENDING))
            self.members[self.purchases[key].owner].settle()

    def order(self, who: str, points: int, now: datetime, *, award: bool) -> bool:
        member = self.members.setdefault(who, TwinMember())
        if award:
            self.new_lot(who, points, ACTIVE, now, self.expiry(now))
            member.settle()
            return True
        return self.spend(who, points)

    def enter(self, who: str) -> bool:
        if who in self.home or (self.home and self.owner is None):
            return False
        self.owner = self.owner or who
        self.home.append(who)
        return True

    def spend_together(self, who: str, points: int, month: tuple[int, int]) -> bool:
        everybody = [who, *(one for one in self.home if one != who)]
        if who not in self.home or sum(self.members[one].free for one in everybody) < points:
            return False
        parts = []
        for one in everybody:
            parts.append((one, min(points, self.members[one].free)))
            points -= parts[-1][1]
        foreign = sum(part for one, part in parts if one != who)
        before = sum(n for by, whose, at, n in self.taken if by == who and whose != who and at == month)
        if foreign and who != self.owner and before + foreign > self.limit:
            return False
        for one, part in parts:
            self.members[one].take(part, SPENT)
            self.taken.append((who, one, month, part))
        return True

    def tick(self, now: datetime) -> None:
        for member in self.members.values():
            for lot in member.lots:
                if lot.releases and lot.releases <= now:
                    lot.move(PENDING, REVERSED if self.lapses else ACTIVE, lot.has(PENDING))
            member.settle()
            for lot in member.lots:
                if lot.expires <= now:
                    for place in (ACTIVE, PENDING):
                        lot.move(place, EXPIRED, lot.has(place))

    def merge(self, winner: str, loser: str) -> None:
        if loser in self.members:
            gone = self.members.pop(loser)
            member = self.members.setdefault(winner, TwinMember())
            member.lots += gone.lots
            member.owed += gone.owed
            member.settle()
        for one in self.purchases.values():
            one.owner = winner if one.owner == loser else one.owner
        if loser in self.home and winner in self.home:
            self.home.remove(loser)
            self.owner = None if self.owner == loser else self.owner
        self.home = [winner if one == loser else one for one in self.home]
        self.owner = winner if self.owner == loser else self.owner
        self.taken = [
            (winner if by == loser else by, winner if whose == loser else whose, at, n)
            for by, whose, at, n in self.taken
        ]

    def erase(self, who: str) -> None:
        self.members.pop(who, None)
        self.home = [one for one in self.home if one != who]
        self.owner = None if self.owner == who else self.owner
        self.purchases = {key: one for key, one in self.purchases.items() if one.owner != who}
