"""The import workload: a million people by CSV, then the same file with a few of them changed."""

import csv
import io
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from django.conf import settings
from django.db import connection, transaction

from loyalty.customers.imports import ImportReport, run_import
from loyalty.customers.management.commands.import_customers import Command
from loyalty.kit import clock
from loyalty.kit.benches import Done, Size, Target, Workload, bench
from loyalty.kit.digests import address_digest

HEADER = "external_id email phone first_name last_name locale timezone country city postcode birth_date vip points shop"
CHANGED_EVERY = 20
TARGETS = (Target("rate", at_least=20_000), Target("again_rate", at_least=40_000))
TABLES = (
    "customer, customer_identity, customer_change, customer_revision, attribute, import_job, import_upload,"
    " import_rejection"
)
FIRST_NAMES = ("Anna", "Ben", "Çem", "Dörte", "Emil")


@bench("import", unit="row", n=1_000_000, targets=TARGETS)
class Import(Workload):
    """Customers by CSV as `import_customers` does it, then again with 5 % changed. Raw: COPY of the finished rows."""

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        self._folder = tempfile.TemporaryDirectory(prefix="bench-import-")
        self.first = Path(self._folder.name, "people.csv")
        self.second = Path(self._folder.name, "people-again.csv")

    def prepare(self) -> None:
        """Write both files."""
        for path, changed in ((self.first, False), (self.second, True)):
            with path.open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(HEADER.split())
                writer.writerows(_people(self.size.n, changed=changed))

    def before_run(self) -> None:
        """No customers, no memory of the files."""
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES}")

    def run(self) -> Done:
        """Both files; the rate is that of the first."""
        began = perf_counter()
        first = _import(self.first, self._folder.name)
        middle = perf_counter()
        second = _import(self.second, self._folder.name)
        again = perf_counter() - middle
        extras = {"again_rate": second.accepted / again, "again_changed": second.changed, "refused": first.rejected}
        return Done(first.accepted, seconds=middle - began, extras=extras)

    def before_raw(self) -> None:
        """As before a run."""
        self.before_run()

    def raw(self) -> int:
        """COPY of finished rows into the same table with the same indexes, in one transaction."""
        digest = partial(address_digest, key=settings.ADDRESS_KEY)
        columns = (
            "external_id, email, phone, first_name, last_name, locale, timezone, country, city, postcode, birth_date"
        )
        now = clock.now().isoformat()
        with transaction.atomic(), connection.cursor() as cursor:
            statement = (
                f"COPY customer ({columns}, attributes, email_digest, created_at, updated_at) FROM STDIN (FORMAT csv)"
            )
            with cursor.copy(statement) as copy:
                text = io.StringIO()
                writer = csv.writer(text)
                for *row, vip, points, shop in _people(self.size.n, changed=False):
                    row[2] = ""
                    attributes = f'{{"vip": {vip}, "points": {points}, "shop": "{shop}"}}'
                    writer.writerow([*row, attributes, "\\x" + digest(str(row[1])).hex(), now, now])
                    if text.tell() > 1 << 20:
                        copy.write(text.getvalue())
                        text.seek(0)
                        text.truncate()
                copy.write(text.getvalue())
        return self.size.n

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


def _import(path: Path, folder: str) -> ImportReport:
    command = Command()
    now = clock.now()
    return run_import(
        path,
        job_kind=command.job_kind,
        columns=command.columns,
        required=command.required,
        extra=command.extra,
        write_chunk=lambda chunk: command.write_chunk(chunk, now=now, options={"empty": "keep"}),
        now=now,
        rejected_folder=Path(folder),
        progress=False,
    )


def _people(count: int, *, changed: bool) -> Iterator[list[object]]:
    for i in range(count):
        yield [
            f"c{i:07d}",
            f"person.{i}@mail{i % 100}.example.org",
            f"+4917{i:08d}" if i % 3 == 0 else "",
            FIRST_NAMES[i % 5],
            f"Name{i % 5000}",
            ("de", "de-AT", "en")[i % 3],
            "Europe/Berlin",
            ("DE", "AT", "CH")[i % 3],
            f"City {i % 900}",
            f"{i % 99999:05d}",
            f"19{50 + i % 50}-{1 + i % 12:02d}-{1 + i % 28:02d}",
            ("true", "false")[i % 2],
            i % 10000 + (1 if changed and i % CHANGED_EVERY == 0 else 0),
            ("Köln", "Wien")[i % 2],
        ]
