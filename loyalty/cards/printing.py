"""The file for the printer of a batch: one line a card, streamed."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from loyalty.cards.models import CardBatch
from loyalty.cards.queries import grouped
from loyalty.kit.spreadsheets import cell
from loyalty.kit.sql import sql

ROWS = 2_000
HEADER = ("number", "printed", "first_name", "last_name", "locale")


def lines(batch_id: int) -> Iterator[str]:
    """The header, then a line a card in the order of their making; names where the batch is personal.

    Cards that are blocked or ended by now, and people who left, are left out: nobody is to get them.
    """
    yield _line(HEADER)
    query = sql(
        "SELECT c.number, p.first_name, p.last_name, p.locale FROM card c JOIN card_batch b ON b.id = c.batch_id"
        " LEFT JOIN customer_identity i ON b.personal AND i.kind = 'card' AND i.value = c.number"
        " LEFT JOIN customer p ON p.id = i.customer_id"
        " WHERE c.batch_id = {batch} AND c.state = 'ready' AND (NOT b.personal OR p.id IS NOT NULL) ORDER BY c.id",
        batch=batch_id,
    )
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(query.text, query.params)
        while rows := cursor.fetchmany(ROWS):
            yield "".join(_line((number, grouped(number), *(cell(one) for one in names))) for number, *names in rows)


def note_printed(batch_id: int, *, now: datetime) -> None:
    """Remember when the file was made last."""
    CardBatch.objects.filter(pk=batch_id).update(printed_at=now)


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
