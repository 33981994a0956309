"""Many readers at once, and two writers at the same person, on real transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test import Client

from campaigns.delivery import links
from campaigns.tracking import operations, views
from campaigns.tracking.buffer import GroupCommit
from loyalty.kit import clock
from loyalty.kit.sql import fetch, sql
from tests.db.campaigns.tracking.conftest import Send, facts, state

pytestmark = pytest.mark.django_db(transaction=True)
BROWSER = {"User-Agent": "Mozilla/5.0 Firefox/144.0"}


def test_a_burst_of_clicks_is_kept_to_the_last_one(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = [send(email=f"reader{number}@example.com") for number in range(10)]
    sets: list[int] = []

    def counted(requests: list[operations.Request]) -> list[operations.Answer]:
        sets.append(len(requests))
        return operations.record(requests)

    monkeypatch.setattr(views, "hits", GroupCommit(counted))
    seen_too_early: list[str] = []

    def click(number: int) -> int:
        url = f"https://shop.example/{number}"
        answer = Client().get(f"/t/c/{links.click_token(mails[number % 10].message_id, None, url)}", headers=BROWSER)
        if not fetch(sql("SELECT 1 FROM hit WHERE url = {url}", url=url)):
            seen_too_early.append(url)
        return answer.status_code

    def work(numbers: range) -> list[int]:
        try:
            return [click(number) for number in numbers]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        statuses = [
            status for found in pool.map(work, [range(start, 400, 16) for start in range(16)]) for status in found
        ]
    assert set(statuses) == {302}
    assert seen_too_early == []
    assert fetch("SELECT count(*), count(DISTINCT url) FROM hit") == [(400, 400)]
    assert sum(sets) == 400
    assert len(sets) < 400, "a burst is written in sets"


def test_two_opt_outs_at_once_are_one(send: Send) -> None:
    mail = send()
    barrier = threading.Barrier(2)

    def withdraw() -> bool:
        try:
            barrier.wait(5)
            return operations.unsubscribe(
                customer_id=mail.customer_id,
                message_id=mail.message_id,
                channel="email",
                purpose="marketing",
                source="one_click",
                user_agent="",
                now=clock.now(),
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(withdraw) for _ in range(2)]
        assert sorted(one.result() for one in done) == [False, True]
    assert state(mail.customer_id)["email", "marketing"] == "withdrawn"
    assert len(facts("message.unsubscribed")) == 1
