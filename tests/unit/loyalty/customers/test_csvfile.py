"""Reading CSV files: encodings, headers, delimiters, the byte cursor."""

from pathlib import Path

import pytest

from loyalty.customers.csvfile import Column, Opened, open_csv, read_lines
from loyalty.kit.problems import Problems

COLUMNS = (Column("external_id", ("customer_id",)), Column("email", ("e_mail",)), Column("attributes.*"))


def opened(path: Path, content: bytes, *, mapping: dict[str, str] | None = None, encoding: str | None = None) -> Opened:
    file = path / "people.csv"
    file.write_bytes(content)
    return open_csv(
        file,
        columns=COLUMNS,
        required=(("external_id", "email"),),
        extra="attributes.",
        mapping=mapping or {},
        encoding=encoding,
        delimiter=None,
    )


def told(
    path: Path, content: bytes, *, mapping: dict[str, str] | None = None, encoding: str | None = None
) -> list[str]:
    with pytest.raises(Problems) as refusal:
        opened(path, content, mapping=mapping, encoding=encoding)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_delimiter_is_found(tmp_path: Path, mark: str) -> None:
    file = opened(tmp_path, mark.join(["Customer ID", "E-Mail", "vip"]).encode() + b"\n")
    assert file.delimiter == mark
    assert file.fields == ("external_id", "email", "attributes.vip")


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert opened(tmp_path, b"\xef\xbb\xbfexternal_id\na\n").header == ("external_id",)


def test_a_wrong_encoding_is_told_with_line_and_byte(tmp_path: Path) -> None:
    content = "external_id,city\n1,Rom\n2,Köln\n".encode("cp1252")
    remedy = "name the file's encoding with --encoding, for example cp1252 (Windows, Excel) or iso-8859-15"
    assert told(tmp_path, content) == [f"people.csv line 3, byte 4: byte 0xF6 is not utf-8 ({remedy})"]
    file = opened(tmp_path, content, encoding="cp1252")
    assert [line.cells for line in read_lines(file, offset=file.start, line=1)] == [["1", "Rom"], ["2", "Köln"]]


def test_a_wrong_encoding_is_placed_right_behind_many_blocks(tmp_path: Path) -> None:
    lines = ["external_id,city", *(f"{i:07d},München" for i in range(150_000))]
    content = "\n".join(lines).encode() + b"\nx,\xff\n"
    assert told(tmp_path, content)[0].startswith("people.csv line 150002, byte 3: byte 0xFF is not utf-8")


def test_utf16_and_unknown_encodings_are_refused_with_a_way_out(tmp_path: Path) -> None:
    assert told(tmp_path, "external_id\n".encode("utf-16")) == [
        "people.csv: is UTF-16 (save it as UTF-8 (in Excel: 'CSV UTF-8'))"
    ]
    assert told(tmp_path, b"external_id\n", encoding="klingon") == [
        "--encoding: unknown encoding 'klingon' (use for example utf-8, cp1252, iso-8859-15)"
    ]
    assert told(tmp_path, b"external_id\n", encoding="utf-16") == [
        "--encoding: utf-16 cannot be read in a stream (save people.csv as UTF-8)"
    ]


def test_missing_columns_and_wrong_mappings_are_told_together(tmp_path: Path) -> None:
    assert told(tmp_path, b"kunde,vip,VIP\n", mapping={"nummer": "external_id", "vip": "emial"}) == [
        "--map nummer: the file has no such column (found: kunde, vip, VIP)",
        "--map vip=emial: unknown field (known: external_id, email, attributes.*)",
        "--map VIP=emial: unknown field (known: external_id, email, attributes.*)",
        "people.csv: needs a column external_id or email (found: kunde, vip, VIP; "
        "rename the column or say which one it is with --map COLUMN=external_id)",
    ]


def test_columns_are_mapped_and_left_out(tmp_path: Path) -> None:
    file = opened(
        tmp_path, b"kunde,vip,note\n", mapping={"Kunde": "external_id", "vip": "attributes.is_vip", "note": ""}
    )
    assert file.fields == ("external_id", "attributes.is_vip", None)


def test_an_empty_file_and_a_missing_one_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, b"") == ["people.csv: has no header line (the first line must name the columns)"]
    with pytest.raises(Problems, match="cannot be opened: No such file"):
        open_csv(
            tmp_path / "none.csv", columns=COLUMNS, required=(), extra=None, mapping={}, encoding=None, delimiter=None
        )


def test_the_cursor_goes_on_where_any_record_ended(tmp_path: Path) -> None:
    content = 'external_id,city\r\n1,"Rio\nde Janeiro"\r\n\r\n2,Köln\r\n3,"a ""b"""\n4'.encode()
    file = opened(tmp_path, content)
    whole = list(read_lines(file, offset=file.start, line=file.start_line))
    assert [(line.number, line.cells, line.problem) for line in whole] == [
        (2, ["1", "Rio\nde Janeiro"], None),
        (5, ["2", "Köln"], None),
        (6, ["3", 'a "b"'], None),
        (7, ["4"], "has 1 cells, the header has 2"),
    ]
    for place, line in enumerate(whole):
        assert list(read_lines(file, offset=line.end, line=line.end_line)) == whole[place + 1 :]
    assert whole[-1].end == len(content)


def test_an_open_quote_does_not_swallow_the_file_in_memory(tmp_path: Path) -> None:
    content = b'external_id,city\n1,"open\n' + b"x" * 100 + b"\n" + b"2,Rom\n" * 40_000
    file = opened(tmp_path, content)
    lines = list(read_lines(file, offset=file.start, line=1))
    assert "is a quote not closed?" in (lines[0].problem or "")
    assert lines[-1].cells == ["2", "Rom"]
