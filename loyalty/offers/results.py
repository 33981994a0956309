"""What personal offers brought: by round, by band and size, and in all; read from the outcomes, which are small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.kit.sql import fetch_values, sql
from loyalty.offers.comparing import Difference, Group, difference, groups
from loyalty.offers.models import OfferRound
from loyalty.offers.personal import Mine

ROUNDS = 24


@dataclass(frozen=True, slots=True)
class Result:
    """Those who were offered something beside those held out."""

    offered: Group
    held: Group
    difference: Difference

    def plain(self) -> dict[str, Any]:
        """For the API."""
        return {
            "offered": _plain(self.offered),
            "held_out": _plain(self.held),
            "difference": {
                "margin_a_head": round(self.difference.head, 4),
                "low": round(self.difference.low, 4),
                "high": round(self.difference.high, 4),
                "margin": round(self.difference.total, 2),
                "verdict": self.difference.verdict,
            },
        }


def _plain(group: Group) -> dict[str, Any]:
    return {
        "people": group.people,
        "reached": group.reached,
        "used": group.redeemers,
        "revenue": round(group.revenue, 2),
        "margin": round(group.margin, 2),
        "cost": round(group.cost, 2),
    }


def result(cells: Sequence[Mapping[str, Any]]) -> Result:
    """Of the cells of one round, or of several."""
    offered, held = groups(cells)
    return Result(offered, held, difference(offered, held))


def rounds_of(offer_id: int) -> list[OfferRound]:
    """The newest rounds, newest first."""
    return list(OfferRound.objects.filter(offer_id=offer_id).order_by("-number")[:ROUNDS])


def in_all(found: Sequence[OfferRound]) -> Result:
    """Of all measured rounds together; somebody in three rounds counts three times."""
    return result([cell for one in found for cell in one.outcome or ()])


def running(round_id: int) -> dict[str, int]:
    """How many have a part in a round, by what it is."""
    rows = fetch_values(
        sql(
            "SELECT count(*) AS people, count(*) FILTER (WHERE held_out) AS held_out, count(size) AS offered,"
            " count(*) FILTER (WHERE explored) AS explored FROM offer_personal WHERE round_id = {id}",
            id=round_id,
        )
    )
    return rows[0]


def of_customer(customer_id: int, *, now: datetime) -> dict[int, tuple[Mine, list[dict[str, Any]]]]:
    """By offer: the person's part in the running round, held out or not, and the round's rates."""
    rows = fetch_values(
        sql(
            "SELECT r.offer_id, r.rates, r.given_at, r.ends_at, p.held_out, p.explored, p.band, p.step, p.size,"
            " p.usual, p.threshold, p.category, p.expected"
            " FROM offer_personal p JOIN offer_round r ON r.id = p.round_id"
            " WHERE p.customer_id = {id} AND r.ends_at > {now} ORDER BY r.offer_id",
            id=customer_id,
            now=now,
        )
    )
    found = {}
    for row in rows:
        offer_id, round_rates = row.pop("offer_id"), row.pop("rates")
        found[offer_id] = (Mine(**row), round_rates)
    return found


def measured_between(program: str, start: datetime, end: datetime) -> list[tuple[str, dict[str, str], Result]]:
    """(key, name, result) of each offer of that program whose rounds ended then."""
    rows = fetch_values(
        sql(
            "SELECT o.key, o.name, r.outcome FROM offer_round r JOIN offer o ON o.id = r.offer_id"
            " WHERE r.outcome IS NOT NULL AND r.ends_at > {start} AND r.ends_at <= {end}"
            " AND r.settings ->> 'program' = {program} ORDER BY o.key, r.number",
            start=start,
            end=end,
            program=program,
        )
    )
    cells: dict[str, list[dict[str, Any]]] = {}
    names = {}
    for row in rows:
        cells.setdefault(row["key"], []).extend(row["outcome"])
        names[row["key"]] = row["name"]
    return [(key, names[key], result(found)) for key, found in cells.items()]
