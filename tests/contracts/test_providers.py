"""What every provider must keep: one outcome per message, in order, whatever the other side does."""

import asyncio
import email
import email.policy
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.channels.message import OutgoingEmail
from campaigns.channels.outcome import Outcome
from campaigns.channels.provider import Account, providers
from campaigns.channels.providers import email_recording
from campaigns.channels.providers.email_smtp import EmailSmtp, SmtpSettings
from tests.contracts.smtp_server import DROP, Server, Session, running

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINIMAL: dict[str, dict[str, Any]] = {
    "email_smtp": {"host": "127.0.0.1", "port": 1, "security": "none", "from_email": "shop@example.com"},
    "email_recording": {},
}


def mail(number: int, to: str | None = None, **fields: Any) -> OutgoingEmail:
    given: dict[str, Any] = {"subject": f"Hello {number}", "html": f"<p>Hello {number}</p>", "text": f"Hello {number}"}
    return OutgoingEmail(id=number, to=to or f"a{number}@example.com", date=AT, **given | fields)


def send(server: Server, messages: Sequence[OutgoingEmail], **settings: Any) -> list[Outcome]:
    async def work() -> list[Outcome]:
        async with running(server):
            given = MINIMAL["email_smtp"] | {"port": server.port, "connections": 1} | settings
            return await EmailSmtp().send(Account("mail", SmtpSettings(**given)), messages)

    return asyncio.run(work())


def verdicts(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.verdict for outcome in outcomes]


@pytest.mark.parametrize("key", list(providers))
def test_every_provider_answers_once_per_message_in_order(key: str) -> None:
    provider = providers.get(key)
    account = Account("x", provider.settings.model_validate(MINIMAL[key]))
    email_recording.forget()
    for count in (0, 1, 7):
        outcomes = asyncio.run(provider.send(account, [mail(number) for number in range(count)]))
        assert len(outcomes) == count
        assert all(isinstance(outcome, Outcome) for outcome in outcomes)


@pytest.mark.parametrize("key", list(providers))
def test_every_provider_says_what_it_carries_and_refuses_unknown_settings(key: str) -> None:
    provider = providers.get(key)
    assert key.startswith(provider.channel + "_")
    assert provider.idempotency_window is None or provider.idempotency_window > 0
    with pytest.raises(ValueError, match="nonsense"):
        provider.settings.model_validate({**MINIMAL[key], "nonsense": 1})


@pytest.mark.parametrize("features", [("PIPELINING", "8BITMIME"), ("8BITMIME",), ("PIPELINING",), ()])
@pytest.mark.parametrize("connections", [1, 4])
def test_all_arrive_with_and_without_pipelining(features: tuple[str, ...], connections: int) -> None:
    server = Server(features=features)
    outcomes = send(server, [mail(n, text=f"Grüße {n}") for n in range(25)], connections=connections)
    assert verdicts(outcomes) == ["sent"] * 25
    assert sorted(to for to, _ in server.mails) == sorted(f"a{n}@example.com" for n in range(25))
    for _, body in server.mails:
        parsed = email.message_from_bytes(body, policy=email.policy.default)
        text = parsed.get_body(("plain",))
        assert text is not None
        assert text.get_content().startswith("Grüße ")
    eight_bit = "8BITMIME" in features
    assert all((b"\xc3" in body) == eight_bit for _, body in server.mails)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("reply", "verdict", "code"),
    [
        (b"450 4.2.0 busy\r\n", "retry", "4.2.0"),
        (b"451 4.7.1 greylisted\r\n", "retry", "4.7.1"),
        (b"452 4.2.2 full\r\n", "retry", "4.2.2"),
        (b"550 5.1.1 nobody\r\n", "failed", "5.1.1"),
        (b"550 nobody\r\n", "failed", "550"),
        (b"552 5.3.4 too big\r\n", "failed", "5.3.4"),
        (b"554 5.7.1 policy\r\n", "failed", "5.7.1"),
    ],
)
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "body"])
def test_one_refusal_touches_one_message(pipelining: bool, reply: bytes, verdict: str, code: str, verb: str) -> None:
    def script(session: Session, line: str) -> bytes | None:
        if line.startswith("MAIL"):
            session.count = getattr(session, "count", 0) + 1  # type: ignore[attr-defined]
        refused = session.count == 3 if hasattr(session, "count") else False
        return reply if refused and line.startswith(verb) and verb != "body" else None

    def on_body(session: Session, body: bytes) -> bytes:
        return reply if verb == "body" and session.count == 3 else b"250 2.0.0 ok\r\n"  # type: ignore[attr-defined]

    features = ("PIPELINING", "8BITMIME") if pipelining else ("8BITMIME",)
    server = Server(features=features, script=script, on_body=on_body)
    outcomes = send(server, [mail(n) for n in range(5)])
    assert verdicts(outcomes) == ["sent", "sent", verdict, "sent", "sent"]
    assert outcomes[2].code == code
    assert outcomes[2].dead_address == (code == "5.1.1")
    assert outcomes[2].sender_problem == (code == "5.7.1")
    assert len(server.mails) == 4


def test_421_in_the_middle_leaves_the_others_to_another_session() -> None:
    def script(session: Session, line: str) -> bytes | None:
        if line.startswith("MAIL"):
            session.count = getattr(session, "count", 0) + 1  # type: ignore[attr-defined]
        return (
            b"421 4.3.2 closing\r\n" if line.startswith("RCPT") and session.number == 0 and session.count == 2 else None
        )  # type: ignore[attr-defined]

    server = Server(script=script)
    outcomes = send(server, [mail(n) for n in range(5)])
    assert verdicts(outcomes) == ["sent", "retry", "sent", "sent", "sent"]
    assert server.sessions == 2


@pytest.mark.parametrize("features", [("PIPELINING",), ()])
def test_a_connection_lost_after_the_final_dot_leaves_one_doubt(
    features: tuple[str, ...],
) -> None:
    dropped: list[str] = []

    def on_body(session: Session, body: bytes) -> bytes:
        if session.recipient == "a2@example.com" and not dropped:
            dropped.append(session.recipient)
            return DROP
        return b"250 ok\r\n"

    server = Server(features=features, on_body=on_body)
    outcomes = send(server, [mail(n) for n in range(5)])
    assert verdicts(outcomes) == ["sent", "sent", "in_doubt", "sent", "sent"]
    assert "after the whole message" in (outcomes[2].detail or "")
    assert [to for to, _ in server.mails].count("a2@example.com") == 0


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_is_tried_on_another_and_then_a_retry(verb: str) -> None:
    def script(session: Session, line: str) -> bytes | None:
        return DROP if line.startswith(verb) else None

    outcomes = send(Server(script=script), [mail(1)])
    assert verdicts(outcomes) == ["retry"]


def test_an_idle_connection_that_the_server_closed_is_no_reason_to_wait() -> None:
    server = Server()

    async def work() -> list[Outcome]:
        async with running(server):
            settings = SmtpSettings(**MINIMAL["email_smtp"] | {"port": server.port, "connections": 1})
            first = await EmailSmtp().send(Account("mail", settings), [mail(1)])
            server.script = lambda session, line: DROP if session.number == 0 else None
            second = await EmailSmtp().send(Account("mail", settings), [mail(2), mail(3)])
            return first + second

    assert verdicts(asyncio.run(work())) == ["sent", "sent", "sent"]
    assert server.sessions == 2


@pytest.mark.parametrize("answer", [b"hello there\r\n", b"999 what\r\n", b"x" * 100_000, b"\xff\xfe\r\n"])
def test_nonsense_after_the_message_is_a_doubt_and_before_it_a_retry(answer: bytes) -> None:
    late = send(Server(on_body=lambda session, body: answer), [mail(1)])
    early = send(Server(script=lambda s, line: answer if line.startswith("RCPT") else None), [mail(1)])
    assert verdicts(late) == ["in_doubt"]
    assert verdicts(early) == ["retry"]


def test_silence_ends_in_time() -> None:
    started = time.monotonic()
    late = send(Server(on_body=lambda session, body: b""), [mail(1)], timeout=1)
    assert verdicts(late) == ["in_doubt"]
    assert late[0].detail == "after the whole message was written: no answer in time"
    assert time.monotonic() - started < 4


def test_nobody_listens() -> None:
    account = Account("mail", SmtpSettings(**MINIMAL["email_smtp"]))
    outcomes = asyncio.run(EmailSmtp().send(account, [mail(1), mail(2)]))
    assert verdicts(outcomes) == ["retry", "retry"]
    assert outcomes[0].after == 30.0


def test_refused_credentials_are_the_senders_problem_and_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "geheim")
    server = Server(
        features=("AUTH PLAIN LOGIN",), script=lambda s, line: b"535 5.7.8 no\r\n" if line.startswith("AUTH") else None
    )
    outcomes = send(server, [mail(1)], username="shop", password_env="MAIL_PASSWORD")
    assert verdicts(outcomes) == ["retry"]
    assert outcomes[0].sender_problem
    assert "AHNob3AAZ2VoZWlt" in server.commands[1]
    assert "geheim" not in (outcomes[0].detail or "")


def test_a_message_above_the_servers_limit_is_not_even_offered() -> None:
    server = Server(features=("PIPELINING", "SIZE 2000"))
    outcomes = send(server, [mail(1, html="x" * 3000), mail(2)])
    assert [(outcome.verdict, outcome.code) for outcome in outcomes] == [("failed", "5.3.4"), ("sent", None)]
    assert len(server.mails) == 1


def test_a_large_message_arrives_whole_with_its_dots() -> None:
    text = "\n".join(["." * (n % 5) + f"line {n}" for n in range(40_000)])
    server = Server()
    assert verdicts(send(server, [mail(1, text=text), mail(2, text=".\n..\n.")])) == ["sent", "sent"]
    bodies = dict(server.mails)
    big = email.message_from_bytes(bodies["a1@example.com"].replace(b"\n..", b"\n."), policy=email.policy.default)
    plain = big.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text


@pytest.mark.parametrize(
    "to", ["", "a b@example.com", "a@example.com>\r\nRCPT TO:<b@example.com", "nobody", "a@b@c", "a@"]
)
def test_a_bad_address_never_reaches_the_wire(to: str) -> None:
    server = Server()
    outcomes = send(server, [mail(1, to=to or " "), mail(2)])
    assert verdicts(outcomes) == ["failed", "sent"]
    assert outcomes[0].code == "5.1.3"
    assert [recipient for recipient, _ in server.mails] == ["a2@example.com"]


def test_no_value_makes_a_second_header_or_recipient() -> None:
    server = Server()
    subject = "Hi\r\nBcc: evil@example.com\0\u2028x"
    send(server, [mail(1, subject=subject)], from_name="Shop\r\nBcc: evil@example.com")
    parsed = email.message_from_bytes(server.mails[0][1], policy=email.policy.default)
    assert parsed["Bcc"] is None
    assert len(parsed.get_all("To", [])) == 1
    assert "Bcc: evil@example.com" in parsed["Subject"]
    assert [line for line in server.commands if line.startswith("RCPT")] == ["RCPT TO:<a1@example.com>"]


def test_one_click_headers_stand_in_list_mail_only() -> None:
    server = Server()
    url = "https://shop.example/u/abc"
    send(server, [mail(1, unsubscribe_url=url, feedback_id="a:b:c:d"), mail(2)])
    first, second = (
        email.message_from_bytes(dict(server.mails)[f"a{n}@example.com"], policy=email.policy.default) for n in (1, 2)
    )
    assert first["List-Unsubscribe"] == f"<{url}>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert first["Feedback-ID"] == "a:b:c:d"
    assert first["Message-ID"] == "<m1@example.com>"
    assert second["List-Unsubscribe"] is None
