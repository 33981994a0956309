"""Reading rows about people, and folding those about the same person."""

from typing import Any

from loyalty.customers.rows import Person, Reader, fold
from loyalty.customers.values import PARSERS, choice
from loyalty.kit.problems import Problem

FIELDS = {"tier": (choice(["gold"]), None), "size": (PARSERS["number"], "number")}


def read(*rows: object, written: bool = False, room: int = 100) -> tuple[list[Person], list[list[Problem]], Reader]:
    reader = Reader(FIELDS, written=written, room=room)
    done = [reader.read(index, row) for index, row in enumerate(rows)]
    return [person for person, _ in done], [problems for _, problems in done], reader


def test_fields_of_columns_may_stand_among_the_attributes() -> None:
    people, problems, _ = read({"external_id": "a", "attributes": {"country": "de", "tier": "gold"}, "consents": []})
    assert problems == [[]]
    assert people[0].values == {"external_id": "a", "country": "DE"}
    assert people[0].attributes == {"tier": "gold"}


def test_null_and_empty_text_clear_and_absent_stays() -> None:
    people, problems, _ = read(
        {"external_id": "a", "email": None, "city": "", "attributes": {"tier": None, "size": ""}}
    )
    assert problems == [[]]
    assert people[0].values == {"external_id": "a", "email": None, "city": None}
    assert people[0].attributes == {"tier": None, "size": None}


def test_all_mistakes_of_a_row_are_told_at_once() -> None:
    row = {
        "external_id": "a",
        "email": "nobody",
        "phone": "12",
        "country": "Germany",
        "adress": "x",
        "attributes": {"tier": "lead", "country": "DE", "bad key!": 1, "deep": {"x": 1}},
        "identities": {"card": "", "tattoo": "x"},
    }
    _, problems, reader = read(row)
    assert [problem.where for problem in problems[0]] == [
        "email",
        "phone",
        "country",
        "adress",
        "attributes.tier",
        "attributes.bad key!",
        "attributes.deep",
        "identities.card",
        "identities.tattoo",
    ]
    assert reader.learned == {}


def test_a_field_given_twice_is_refused() -> None:
    _, problems, _ = read({"external_id": "a", "country": "DE", "attributes": {"country": "AT"}})
    assert problems == [[Problem("attributes.country", "is given twice", "give it once, at the top or in attributes")]]


def test_a_row_must_say_who_it_is_about() -> None:
    _, problems, _ = read(
        {"first_name": "Ada"}, {"external_id": "", "email": "a@example.com"}, "x", {"external_id": None}
    )
    assert [[str(problem) for problem in found] for found in problems] == [
        ["does not say who it is about (give external_id, email, phone or an identity)"],
        ["external_id: is empty (give the id or leave the field out)"],
        ["'x' is not an object"],
        ["does not say who it is about (give external_id, email, phone or an identity)"],
    ]


def test_what_a_refused_row_brings_is_not_learned() -> None:
    _, _, reader = read({"external_id": "a", "attributes": {"hobby": "chess"}, "email": "x"})
    assert reader.learned == {}
    reader.read(1, {"external_id": "b", "attributes": {"hobby": 3}})
    assert reader.learned == {"hobby": "number"}


def test_a_learned_type_that_does_not_hold_becomes_text() -> None:
    people, problems, reader = read(
        {"external_id": "a", "attributes": {"size": 3}}, {"external_id": "b", "attributes": {"size": "XL"}}
    )
    assert problems == [[], []]
    assert [person.attributes for person in people] == [{"size": 3}, {"size": "XL"}]
    assert reader.widened == {"size"}


def test_too_many_unannounced_attributes_are_refused() -> None:
    _, problems, reader = read({"external_id": "a", "attributes": {"x": 1, "y": 2}}, room=1)
    assert [problem.where for problem in problems[0]] == ["attributes.y"]
    assert reader.learned == {}


def folded(*rows: Any) -> tuple[list[tuple[list[int], dict[str, Any]]], list[int]]:
    people, refused = fold(read(*rows)[0])
    return [(person.rows, person.values) for person in people], [person.rows[0] for person, _ in refused]


def test_rows_of_one_external_id_are_one_person_and_later_values_win() -> None:
    assert folded(
        {"external_id": "a", "email": "a@example.com", "city": "Rome"},
        {"external_id": "b"},
        {"external_id": "a", "city": "Paris"},
    ) == (
        [([0, 2], {"external_id": "a", "email": "a@example.com", "city": "Paris"}), ([1], {"external_id": "b"})],
        [],
    )


def test_rows_without_external_id_join_by_their_keys() -> None:
    assert folded(
        {"email": "A@example.com"},
        {"external_id": "a", "email": "a@EXAMPLE.com"},
        {"email": "a@example.com", "city": "Rome"},
    ) == ([([0, 1, 2], {"email": "a@example.com", "external_id": "a", "city": "Rome"})], [])


def test_two_external_ids_may_share_an_address_but_no_card() -> None:
    people, refused = folded(
        {"external_id": "a", "email": "f@example.com", "identities": {"card": "1"}},
        {"external_id": "b", "email": "f@example.com"},
        {"external_id": "c", "identities": {"card": "1"}},
    )
    assert [rows for rows, _ in people] == [[0], [1]]
    assert refused == [2]
