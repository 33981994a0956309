"""Documents out of text: what scalars mean, where things stand, what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kit.document_text import SIZE_MAX_BYTES, read
from loyalty.kit.document_yaml import write
from loyalty.kit.problems import Problem

SEGMENT = b"""\
kind: segment
key: lapsing_vips
rule:
  all:
    - {attribute: country, in: [DE, NO]}
    - none:
        - {event: purchase, count: {gte: 1}, within: 90d}
---
kind: segment
key: second
"""


def values(text: bytes, file: str = "a.yaml") -> list[object]:
    written, mistakes = read(text, file)
    assert mistakes == []
    return [item.value for item in written]


def mistakes(text: bytes, file: str = "a.yaml") -> list[str]:
    return [str(mistake) for mistake in read(text, file)[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("true", True),
        ("False", "False"),
        ("09:30", "09:30"),
        ("1:30:00", "1:30:00"),
        ("01067", "01067"),
        ("0", 0),
        ("-12", -12),
        ("1_000", "1_000"),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00+01:00", "2026-11-21T10:00:00+01:00"),
        ("~", None),
        ("null", None),
        ("'12'", "12"),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)
def test_an_unquoted_scalar_means_what_a_reader_expects(text: str, value: object) -> None:
    assert values(f"- {{x: {text}}}".encode()) == [{"x": value}]


def test_every_place_knows_its_line_also_in_a_later_document() -> None:
    first, second = read(SEGMENT, "a.yaml")[0]
    assert first.line_of("") == 1
    assert first.line_of("rule.all[1].none[0].count.gte") == 7
    assert second.line_of("key") == 10


def test_a_place_that_is_not_there_has_the_line_of_what_surrounds_it() -> None:
    first = read(SEGMENT, "a.yaml")[0][0]
    assert first.line_of("rule.all[0].missing.deeper") == 5
    assert first.line_of("rule.all[7]") == 4
    assert first.line_of("nowhere") == 1


def test_a_mistake_names_file_line_document_place_and_remedy() -> None:
    first = read(SEGMENT, "a.yaml")[0][0]
    told = str(first.mistake(Problem("rule.all[1]", "is odd", "make it even")))
    assert told == "a.yaml:6: segment lapsing_vips: rule.all[1]: is odd (make it even)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: 1\nb: 2\na: 3", "a.yaml:3: a: stands here twice, first in line 1 (keep one of them)"),
        (b"a: &x 1\nb: *x", "a.yaml:2: uses the alias *x (write the value out; aliases are not read)"),
        (b"a: !!python/name:os.system", "a.yaml:1: uses the tag tag:yaml.org,2002:python/name:os.system"),
        (b"a: !!set {b: 1}", "a.yaml:1: uses the tag tag:yaml.org,2002:set"),
        (b"[" * 100, "a.yaml:1: is nested deeper than 60 levels"),
        (b"a:\n  - b\n c: 1", "a.yaml:3: cannot be read: "),
        (b"a: 1\nb: \xff", "a.yaml:2: is not UTF-8 text (save the file as UTF-8)"),
        (b"a: \x00", "a.yaml:1: cannot be read: "),
        (b"? [a]\n: b", "a.yaml:1: has a field name that is not text"),
        (b"x" * (SIZE_MAX_BYTES + 1), "a.yaml:1: is larger than 5 MB (split it into several files)"),
    ],
)
def test_text_that_cannot_be_trusted_is_refused_with_its_line(text: bytes, told: str) -> None:
    assert [line.startswith(told) for line in mistakes(text)] == [True]


def test_documents_before_an_unreadable_one_are_still_read() -> None:
    written, wrong = read(b"key: good\n---\na: *x\n", "a.yaml")
    assert [item.value for item in written] == [{"key": "good"}]
    assert len(wrong) == 1


def test_empty_documents_are_none_and_lists_hold_one_document_per_item() -> None:
    assert values(b"---\n---\n- key: a\n- key: b\n") == [{"key": "a"}, {"key": "b"}]
    assert read(b"- key: a\n\n- key: b\n  rule: 1\n", "a.yaml")[0][1].line_of("rule") == 4


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert values(b"\xef\xbb\xbfkey: a") == [{"key": "a"}]


def test_json_is_read_strictly_and_keeps_its_lines() -> None:
    written, wrong = read(b'[\n {"key": "a",\n  "x": "\\/", "n": 1E2}]', "a.json")
    assert wrong == []
    assert written[0].value == {"key": "a", "x": "/", "n": 100.0}
    assert written[0].line_of("x") == 3
    assert mistakes(b'{"x": NaN}', "a.json") == ["a.json:1: holds NaN, which is no JSON number"]
    assert mistakes(b'{"x": 1,\n}', "a.json")[0].startswith("a.json:2: cannot be read: ")
    assert mistakes(b'{"x": 1,\n"x": 2}', "a.json") == [
        "a.json:2: x: stands here twice, first in line 1 (keep one of them)"
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"))
    | st.text("ab \n", min_size=110, max_size=130),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:-#& 01", max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abkey_", min_size=1, max_size=6), json_values, min_size=1, max_size=5))
def test_what_is_written_is_read_back_as_it_was(document: dict[str, object]) -> None:
    assert values(write([document]).encode()) == [document]


@given(st.dictionaries(st.text("abkey_", min_size=1, max_size=6), json_values, min_size=1, max_size=5))
def test_json_reads_as_json_does(document: dict[str, object]) -> None:
    assert values(json.dumps(document).encode(), "a.json") == [document]
