"""The commands as a stranger types them who read nothing but the public formats."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from campaigns.flows.steps.wait import WaitParameters
from loyalty.customers.models import Customer

pytestmark = pytest.mark.django_db

TWO_LANGUAGES = """\
kind: template
key: winback
channel: email
locales:
  de: {subject: Hallo, body: "<p><a href='{{ unsubscribe_url }}'>Abmelden</a></p>"}
  en: {subject: Hi, body: "<p><a href='{{ unsubscribe_url }}'>No more</a></p>"}
---
kind: goal
key: order
event: purchase
"""
TEN = """\
kind: segment
key: s1
rule: {all: [{atribute: country, eq: DE}, {segment: nobody}]}
---
kind: template
key: t1
locales: {en: {subject: "{{ foo }}", body: "<p>no link</p>"}}
---
kind: flow
key: f1
entry: [{segment_entered: unknown}]
steps:
  - {id: a, type: send, template: nope}
  - {id: b, type: wait_for_event, event: x}
---
kind: flow
key: f2
entry: [{api: true}]
steps:
  - {id: a, type: split, branches: [{when: {attribute: country, eq: DE}, to: b}], otherwise: b}
  - {id: b, type: split, branches: [{when: {attribute: country, eq: DE}, to: a}], otherwise: a}
---
kind: gaol
key: g
---
kind: programs
key: p
"""


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command(*arguments)
    return capsys.readouterr().out


def test_exported_locales_keep_their_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, exported = tmp_path / "objects.yaml", tmp_path / "exported.yaml"
    file.write_text(TWO_LANGUAGES)
    said(capsys, "apply", str(file))
    exported.write_text(said(capsys, "export"))
    assert exported.read_text().index("de:") < exported.read_text().index("en:")
    assert said(capsys, "apply", str(exported)).endswith("0 created, 0 updated, 2 unchanged\n")
    assert said(capsys, "apply", str(file)).endswith("0 created, 0 updated, 2 unchanged\n")


def test_ten_mistakes_are_ten_lines_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "ten.yaml"
    file.write_text(TEN)
    with pytest.raises(CommandError) as info:
        call_command("apply", str(file))
    told = str(info.value).replace(f"{file}:", "").splitlines()
    assert told[0] == "10 mistakes, nothing was changed"
    assert [line.split(": ")[:3] for line in told[1:]] == [
        ["3", "segment s1", "rule.all[0].atribute"],
        ["3", "segment s1", "rule.all[1].segment"],
        ["7", "template t1", "locales.en.subject line 1"],
        ["7", "template t1", "locales.en.body"],
        ["11", "flow f1", "entry[0].segment_entered"],
        ["13", "flow f1", "steps[0].template"],
        ["14", "flow f1", "steps[1].timeout"],
        ["20", "flow f2", "steps[0]"],
        ["23", "gaol g", "kind"],
        ["26", "programs p", "kind"],
    ]
    assert all(line.endswith(")") for line in told[1:])
    assert "did you mean 'program'" in told[-1]


@pytest.mark.parametrize("chosen", [("goal",), ("goal", "order"), ("order",), ("--kind", "goal")])
def test_one_kind_is_exported_however_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chosen: tuple[str, ...]
) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text(TWO_LANGUAGES)
    said(capsys, "apply", str(file))
    assert [line for line in said(capsys, "export", *chosen).splitlines() if line.startswith("k")] == [
        "kind: goal",
        "key: order",
    ]


@pytest.mark.parametrize(
    "mapping", [("--map", "kunde=external_id", "--map", "mail=email"), ("--map", "kunde=external_id,mail=email")]
)
def test_columns_are_mapped_one_by_one_or_at_once(tmp_path: Path, mapping: tuple[str, ...]) -> None:
    file = tmp_path / "people.csv"
    file.write_text("kunde,mail\nk1,k1@example.com\n")
    call_command("import_customers", str(file), *mapping, "--no-progress")
    assert Customer.objects.values_list("external_id", "email").get() == ("k1", "k1@example.com")


def test_verify_answers_with_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(said(capsys, "verify", "--json"))
    assert (answer["violations"], answer["ok"]) == (0, True)


def test_until_says_by_its_look_what_it_means() -> None:
    def until(value: object) -> dict[str, object]:
        found = WaitParameters.model_validate({"id": "w", "type": "wait", "until": value}).until
        assert found is not None
        return found.model_dump(mode="json", exclude_defaults=True)

    assert until("10:30") == {"time": "10:30"}
    assert until("monday") == {"weekday": "monday"}
    assert until("2026-12-24") == {"date": "2026-12-24"}
    assert until({"weekday": "friday", "time": "09:00"}) == {"weekday": "friday", "time": "09:00"}
