"""SQL is composed of pieces; values are always parameters."""

import pytest

from loyalty.kit.sql import Sql, identifier, sql


def test_values_become_parameters_and_pieces_are_inlined_in_order() -> None:
    piece = sql("age > {age}", age=30)
    whole = sql("SELECT {first} WHERE {piece} AND name = {name}", name="x'; DROP", piece=piece, first=1)
    assert whole == Sql("SELECT %s WHERE age > %s AND name = %s", (1, 30, "x'; DROP"))


def test_percent_signs_and_braces_in_the_text_stay_themselves() -> None:
    assert sql("a LIKE 'x%' AND b % 2 = {n}", n=0).text == "a LIKE 'x%%' AND b %% 2 = %s"
    assert sql("'{{}}'::jsonb").text == "'{}'::jsonb"


def test_joining_keeps_parameters_in_order() -> None:
    assert Sql(" AND ").join(sql("a = {v}", v=v) for v in (1, 2)) == Sql("a = %s AND a = %s", (1, 2))
    assert Sql(", ").join([]) == Sql("")


def test_names_are_quoted() -> None:
    assert identifier('we"ird%').text == '"we""ird%%"'


def test_a_missing_part_is_an_error() -> None:
    with pytest.raises(KeyError, match="n"):
        sql("a = {n}")
