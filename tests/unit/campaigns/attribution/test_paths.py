"""Path files: the worked examples by hand, and broken files told in full."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from campaigns.attribution.method import methods
from campaigns.attribution.paths import PathRow, read, score
from loyalty.kit.problems import Problems

HEADER = "path,total_conversions,total_conversion_value,total_null\n"
EXAMPLE = HEADER + "A > B > C,2,100,1\nB,1,30,0\nA > A > B,3,60.5,7\n"


def scored(model: str, text: str) -> dict[str, tuple[float, float]]:
    method = methods.get(model)
    found = score(read(io.StringIO(text)), method, method.parameters())
    return {name: (one.conversions, one.value) for name, one in found.items()}


def test_last_touch() -> None:
    assert scored("last_touch", EXAMPLE) == {"A": (0, 0), "B": (4, 90.5), "C": (2, 100)}


def test_first_touch() -> None:
    assert scored("first_touch", EXAMPLE) == {"A": (5, 160.5), "B": (1, 30), "C": (0, 0)}


def test_linear_counts_every_touch() -> None:
    found = scored("linear", EXAMPLE)
    assert found["A"] == pytest.approx((2 / 3 + 2, 100 / 3 + 60.5 * 2 / 3), abs=1e-12)
    assert found["B"] == pytest.approx((2 / 3 + 1 + 1, 100 / 3 + 30 + 60.5 / 3), abs=1e-12)
    assert found["C"] == pytest.approx((2 / 3, 100 / 3), abs=1e-12)


def test_optional_columns_blanks_and_byte_order_of_columns() -> None:
    assert read(io.StringIO("total_conversions, path\n2, A>B \n")) == [PathRow(("A", "B"), 2, 0, 0)]


def test_every_broken_row_is_told_with_its_line() -> None:
    text = HEADER + "A > > B,1,0,0\nA,x,0,0\nA,-1,0,0\n,1,0,0\nA,1,nan,0\nA,1,0,0,9\nA,1,0,0\n"
    with pytest.raises(Problems) as refused:
        read(io.StringIO(text))
    assert [problem.where for problem in refused.value.problems] == [f"line {number}" for number in range(2, 8)]
    assert "not a number" in refused.value.problems[1].problem
    assert "negative" in refused.value.problems[2].problem


def test_missing_columns_are_told_together() -> None:
    with pytest.raises(Problems) as refused:
        read(io.StringIO("a,b\n1,2\n"))
    assert len(refused.value.problems) == 2


def test_command_prints_json(tmp_path: Path) -> None:
    file = tmp_path / "paths.csv"
    file.write_text(EXAMPLE, encoding="utf-8-sig")
    out = io.StringIO()
    call_command("attribute_paths", str(file), "--model", "linear", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert (answer["model"], answer["order"]) == ("linear", None)
    assert answer["channels"]["C"] == {
        "conversions": pytest.approx(2 / 3),
        "value": pytest.approx(100 / 3),
        "removal_effect": None,
    }
    assert answer["warnings"] == ["only 6 conversions: chance decides more than the channels"]


def test_command_prints_a_table(tmp_path: Path) -> None:
    file = tmp_path / "paths.csv"
    file.write_text(EXAMPLE)
    out, err = io.StringIO(), io.StringIO()
    call_command("attribute_paths", str(file), "--model", "last_touch", stdout=out, stderr=err)
    assert [line.split() for line in out.getvalue().splitlines()[1:]] == [
        ["A", "0.0000", "0.00"],
        ["B", "4.0000", "90.50"],
        ["C", "2.0000", "100.00"],
    ]
    assert "chance" in err.getvalue()


@pytest.mark.parametrize(
    ("content", "model", "says"),
    [
        (EXAMPLE.encode(), "markow", "known: first_touch, last_touch, linear"),
        (b"\xff\xfe\x00", "linear", "not in UTF-8"),
        (b"path\nA\n", "linear", "total_conversions"),
        (None, "linear", "cannot be read"),
    ],
)
def test_command_says_what_is_wrong(tmp_path: Path, content: bytes | None, model: str, says: str) -> None:
    file = tmp_path / "paths.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=says):
        call_command("attribute_paths", str(file), "--model", model)
