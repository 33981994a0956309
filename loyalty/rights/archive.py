"""A person's data as a ZIP: what it means on paper (PDF), everything for programs (JSON), each table for a spreadsheet.

The texts are in the active language.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from loyalty.kit.spreadsheets import cell
from loyalty.rights.paper import paper

# ZIP cannot say years before 1980; a fixed time lets the same data give the same file.
_STAMP = (1980, 1, 1, 0, 0, 0)


def archive(data: Mapping[str, Any]) -> bytes:
    """The answer of `queries.access` as a ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        _add(file, gettext("your-data") + ".pdf", paper(data))
        _add(file, "data.json", json.dumps(data, ensure_ascii=False, indent=2).encode())
        for table, rows in data["tables"].items():
            if rows:
                _add(file, f"tables/{table}.csv", table_csv(rows).encode("utf-8-sig"))
    return out.getvalue()


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    file.writestr(entry, content)


def table_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one table with their columns as the first line."""
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(_cells(row.get(name) for name in names) for row in rows)
    return out.getvalue()


def _cells(values: Iterable[Any]) -> list[str]:
    cells = []
    for value in values:
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        cells.append(cell(text) if isinstance(value, str) else text)
    return cells
