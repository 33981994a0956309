"""HTTP, a person's rights, and the comparison with the sink."""

import json
from pathlib import Path

import pytest
from django.test import Client

from campaigns.channels.mime import message_id
from campaigns.delivery import ids as message_ids
from campaigns.delivery import personal_data
from campaigns.delivery.models import Message, MessageAttempt, MessageContext, MessageVerdict
from campaigns.delivery.reconcile import reconcile
from loyalty.access.operations import create_api_key
from loyalty.kit.sql import Sql, execute, fetch, sql
from tests.db.campaigns.delivery.world import World


@pytest.fixture
def client_of() -> object:
    def make(*scopes: str) -> Client:
        made = create_api_key(name="test", scopes=list(scopes), now=World().now)
        return Client(headers={"Authorization": f"Bearer {made.secret}"})

    return make


def test_a_message_and_a_persons_messages_over_http(world: World, client_of) -> None:  # type: ignore[no-untyped-def]
    people = world.customers(1)
    ids = world.plan(world.dispatch(), people) + world.plan(world.dispatch(step_no=2, step="two"), people)
    world.send()
    client = client_of("messages:read")
    answer = client.get(f"/api/v1/customers/c{people[0]}/messages").json()["messages"]
    assert [message["id"] for message in answer] == [str(number) for number in sorted(ids, reverse=True)]
    assert {message["state"] for message in answer} == {"sent"}
    page = client.get(f"/api/v1/customers/c{people[0]}/messages?limit=1&before={answer[0]['id']}").json()["messages"]
    assert [message["id"] for message in page] == [answer[1]["id"]]
    passport = client.get(f"/api/v1/messages/{answer[0]['id']}").json()
    assert passport["customer"] == f"c{people[0]}"
    assert passport["gates"][0]["gate"] == "dispatch_state"
    assert client.get("/api/v1/messages/1").status_code == 404
    assert client.get("/api/v1/messages/nonsense").status_code == 404
    assert client.get("/api/v1/messages/99999999999999999999").status_code == 404
    assert client.get("/api/v1/customers/nobody/messages").status_code == 404
    assert client_of("events:write").get("/api/v1/messages/1").status_code == 403
    assert Client().get("/api/v1/messages/1").status_code == 401


def test_erasure_leaves_nothing_and_export_shows_everything(world: World) -> None:
    gone, stays = world.customers(2)
    dispatch = world.dispatch()
    ids = world.plan(dispatch, [gone, stays])
    skipped = world.plan(world.dispatch(step_no=2, step="two", purpose="marketing"), world.customers(1, consent=None))
    MessageContext.objects.create(origin_id=ids[0] >> 25, event={"name": "purchase"})
    world.send()
    shown = personal_data.export(gone)
    assert {table: len(rows) for table, rows in shown.items()} == {
        "message": 1, "message_attempt": 1, "message_verdict": 0, "message_context": 1,
    }  # fmt: skip
    assert personal_data.erase([gone]) == 3
    assert list(Message.objects.order_by("pk").values_list("pk", flat=True)) == sorted([ids[1], *skipped])
    assert MessageAttempt.objects.count() == 1
    assert MessageVerdict.objects.count() == 1
    assert not MessageContext.objects.exists()


def test_a_merge_hands_the_messages_over(world: World) -> None:
    winner, loser = world.customers(2)
    ids = world.plan(world.dispatch(), [winner, loser])
    assert personal_data.merge({loser: winner}, world.now) == {"message": {loser: [ids[1]]}}
    assert {message.customer_id for message in Message.objects.filter(pk__in=ids)} == {winner}


def test_the_sink_and_the_outbox_are_compared(world: World, tmp_path: Path) -> None:
    sender = world.sender("sink", settings={})
    people = world.customers(4)
    sent = world.plan(world.dispatch(sender_id=sender.pk), people)
    world.send()
    waiting = world.plan(world.dispatch(sender_id=sender.pk, step_no=2, step="two"), people[:1])
    execute(Sql("UPDATE sender SET provider = 'email_smtp', settings = '{}'"))
    log = tmp_path / "log.jsonl"

    def write(*numbers: int) -> None:
        lines = [json.dumps({"message_id": message_id(number, "x.example")}) for number in numbers]
        log.write_text("\n".join([json.dumps({"message_id": "<foreign@x>"}), *lines, "half a li"]))

    write(*sent)
    assert reconcile(log) == []
    assert reconcile(tmp_path) == []
    write(*sent[:3], sent[0], waiting[0], 12345)
    assert sorted((item["problem"], item["message"]) for item in reconcile(log)) == [
        ("arrived but is not sent", 12345),
        ("arrived but is not sent", waiting[0]),
        ("arrived more than once", sent[0]),
        ("sent but never arrived", sent[3]),
    ]


def test_ids_in_sql_are_the_ids_in_python(db: None) -> None:
    key = (2**38 - 1, 4095, 1023, 7)
    packed = message_ids.pack(*key)
    number = sql("{id}::bigint", id=packed)
    parts = fetch(
        sql(
            "SELECT {pack}, {e}, {v}, {s}, {c}",
            pack=message_ids.pack_sql(Sql("274877906943"), Sql("4095"), key[2], key[3]),
            e=message_ids.enrollment_sql(number),
            v=message_ids.visit_sql(number),
            s=message_ids.step_sql(number),
            c=message_ids.channel_sql(number),
        )  # fmt: skip
    )
    assert parts == [(packed, *key)]
