"""A campaign as one file: refused with all its mistakes at once; applied, exported and applied again."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

pytestmark = pytest.mark.django_db

CAMPAIGN = """\
kind: flow
key: winback
campaign: autumn
entry: [{segment_entered: lapsing}]
reentry: {after: 90d}
exit_on: [{event: purchase}]
goal: {event: purchase, within: 14d, value: amount}
holdout: 0.1
steps:
  - {id: hello, type: send, template: hello, to: [email]}
  - {id: pause, type: wait_for_event, event: message.clicked, of: hello, timeout: 3d, exits: {happened: end}}
  - {id: nudge, type: send, template: hello}
---
kind: segment
key: lapsing
name: {en: Lapsing, de: Abwandernde}
rule:
  all:
    - {attribute: country, in: [DE, NO]}
    - {event: purchase, count: {gte: 3}, within: 365d, where: {amount: {gte: 50}}}
    - none: [{event: purchase, count: {gte: 1}, within: 90d}]
---
kind: template
key: hello
channel: email
locales:
  de:
    subject: "{{ customer.first_name | default('Hallo') }}, wir vermissen Sie"
    body: |
      <mjml><mj-body><mj-section><mj-column>
        <mj-text>Bis bald! <a href="{{ unsubscribe_url }}">Abmelden</a></mj-text>
      </mj-column></mj-section></mj-body></mjml>
---
kind: campaign
key: autumn
name: {en: Autumn, de: Herbst}
---
kind: goal
key: order
event: purchase
value: amount
window: 7d
---
kind: attribute
key: shoe_size
type: number
name: {en: Shoe size, de: Schuhgröße}
---
kind: sender
key: shop
channel: email
provider: smtp
settings: {host: sink, from_email: shop@shop.example, from_name: Shop, imprint: "Shop GmbH, Weg 1, 50667 Köln"}
"""

BROKEN = """\
kind: segment
key: people
rule:
  all:
    - {attribut: country, eq: DE}
    - {event: purchase, count: {gte: many}}
    - {segment: nobody}
---
kind: template
key: letter
channel: emial
locales: {de: {subject: Hallo, body: "<mjml></mjml>"}}
---
kind: flow
key: loop
entry: [{segment_entered: nowhere}]
steps:
  - {id: a, type: send, template: none}
  - {id: b, type: wait_for_event, event: x}
  - {id: c, type: wat}
  - {id: d, type: split, branches: [{when: {all: [{attribute: country, eq: DE}]}, to: a}]}
---
kind: sgment
key: typo
---
kind: goal
"""


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    call_command(*arguments)
    return capsys.readouterr().out.splitlines()


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def test_a_campaign_is_applied_once_and_exported_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    last = output(capsys, "apply", str(file), "--dry-run")[-1]
    assert last == "7 created, 0 updated, 0 unchanged; dry run, nothing was changed"
    assert rows("flow") == rows("segment") == rows("template") == rows("sender") == 0
    assert output(capsys, "apply", str(file))[-1] == "7 created, 0 updated, 0 unchanged"
    assert output(capsys, "apply", str(file))[-1] == "0 created, 0 updated, 7 unchanged"
    exported = tmp_path / "exported.yaml"
    exported.write_text("\n".join(output(capsys, "export")) + "\n")
    assert output(capsys, "apply", str(exported))[-1] == "0 created, 0 updated, 7 unchanged"
    assert output(capsys, "apply", str(exported), "--dry-run")[-1].startswith("0 created, 0 updated, 7 unchanged")


def test_every_mistake_comes_with_its_line_and_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(CAMPAIGN + "---\n" + BROKEN)
    offset = CAMPAIGN.count("\n") + 1
    with pytest.raises(CommandError) as info:
        call_command("apply", file)
    told = str(info.value).splitlines()
    places = [line.removeprefix(f"{file}:").split(": ")[:3] for line in told[1:]]
    found = {(int(line) - offset, document, where) for line, document, where in places}
    assert {
        (5, "segment people", "rule.all[0].attribut"),
        (6, "segment people", "rule.all[1].count.gte"),
        (11, "template letter", "channel"),
        (16, "flow loop", "entry[0].segment_entered"),
        (18, "flow loop", "steps[0].template"),
        (19, "flow loop", "steps[1].timeout"),
        (20, "flow loop", "steps[2].type"),
        (21, "flow loop", "steps[3].otherwise"),
        (23, "sgment typo", "kind"),
        (26, "goal", "key"),
    } <= found
    assert told[0] == f"{len(places)} mistakes, nothing was changed"
    assert rows("flow") == rows("segment") == rows("template") == rows("sender") == 0
