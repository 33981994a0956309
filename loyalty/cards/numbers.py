"""Drawing numbers of a series: by chance, so that nobody guesses the next card, or one after the other."""

import secrets
from datetime import datetime

from loyalty.cards.models import CardSeries
from loyalty.customers import cards as digits
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

# Cards go into the table in pieces of this size: some megabytes of parameters, about a second.
PIECE = 20_000
# Numbers drawn by chance meet ones that are taken; a series fuller than this is too small for guessing to be hopeless.
FULLEST = 0.1


def room(series: CardSeries) -> int:
    """How many numbers the series can hold."""
    return 10 ** max(0, series.length - len(series.prefix) - 1)


def check_room(series: CardSeries, amount: int) -> None:
    """Raise Problems where the series has no room for so many more."""
    if series.order == CardSeries.Order.RUNNING:
        left = room(series) - series.next_number
    else:
        used = fetch(sql("SELECT count(*) FROM card WHERE series_id = {id}", id=series.pk))[0][0]
        left = int(room(series) * FULLEST) - used
    if amount > left:
        remedy = f"issue at most {max(0, left)}, or apply a series with more digits"
        raise Problems([Problem("amount", f"the series {series.key} has no room for {amount} more cards", remedy)])


def draw(series: CardSeries, amount: int, *, batch_id: int | None, label: str | None, now: datetime) -> list[str]:
    """Make that many cards of the series; their numbers, in the order of their ids.

    The caller has locked a running series and looked for room.
    """
    made: list[str] = []
    while len(made) < amount:
        wanted = min(PIECE, amount - len(made))
        if series.order == CardSeries.Order.RUNNING:
            upto = fetch(
                sql(
                    "UPDATE card_series SET next_number = next_number + {n} WHERE id = {id} RETURNING next_number",
                    n=wanted,
                    id=series.pk,
                )
            )[0][0]
            places = list(range(upto - wanted, upto))
        else:
            places = [secrets.randbelow(room(series)) for _ in range(wanted)]
        made += _insert(
            [digits.generate(series.prefix, place, length=series.length) for place in places],
            series, batch_id, label, now,
        )  # fmt: skip
    return made


def _insert(
    numbers: list[str], series: CardSeries, batch_id: int | None, label: str | None, now: datetime
) -> list[str]:
    rows = fetch(
        sql(
            "INSERT INTO card (number, series_id, batch_id, state, label, issued_at)"
            " SELECT n, {series}, {batch}::int, 'ready', {label}::text, {now}"
            " FROM unnest({numbers}::text[]) WITH ORDINALITY AS given (n, place)"
            # A number that somebody has as an identity already is a card from elsewhere: it is not made twice.
            " WHERE NOT EXISTS (SELECT FROM customer_identity i WHERE i.kind = 'card' AND i.value = n)"
            " ORDER BY place ON CONFLICT (number) DO NOTHING RETURNING number",
            series=series.pk,
            batch=batch_id,
            label=label,
            now=now,
            numbers=numbers,
        )
    )
    return [row[0] for row in rows]
