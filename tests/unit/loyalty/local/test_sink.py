import json
import os
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from loyalty.local.mailbox import Mailbox
from loyalty.local.sinklog import LOG, Mail, SinkLog, noted_headers


def a_mail(number: int = 1, to: str = "ada@example.com") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", to, f"Grüße {number}"
    mail["Message-ID"], mail["X-Message"] = f"<{number}@example.com>", str(number)
    mail.set_content("Text part\n.starts with a dot\n")
    mail.add_alternative("<p>Schöne Grüße</p>", subtype="html")
    return mail


def test_a_mail_is_kept_and_can_be_read(sink: Any) -> None:
    with smtplib.SMTP(sink.host, sink.port) as client:
        assert client.send_message(a_mail(7)) == {}
        assert client.send_message(a_mail(8, to="Grace <grace@example.com>")) == {}
    assert sink.mailbox.count() == 2
    newest = sink.mailbox.newest()
    assert [(entry.n, entry.subject, entry.rcpt, entry.headers) for entry in newest] == [
        (2, "Grüße 8", ["grace@example.com"], {"x-message": "8"}),
        (1, "Grüße 7", ["ada@example.com"], {"x-message": "7"}),
    ]
    read = sink.mailbox.read(1)
    assert read.text == "Text part\n.starts with a dot\n"
    assert read.html == "<p>Schöne Grüße</p>\n"
    assert ("Message-ID", "<7@example.com>") in read.headers
    assert read.entry.message_id == "<7@example.com>"
    assert read.entry.size == len(read.raw)
    assert [entry.n for entry in sink.mailbox.to("GRACE@")] == [2]
    with pytest.raises(KeyError):
        sink.mailbox.read(3)


def test_mails_over_many_connections_are_all_kept_once(sink: Any) -> None:
    def send(lane: int) -> None:
        with smtplib.SMTP(sink.host, sink.port) as client:
            for number in range(25):
                client.send_message(a_mail(lane * 100 + number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    entries = list(sink.mailbox.entries())
    assert [entry.n for entry in entries] == list(range(1, 201))
    assert len({entry.message_id for entry in entries}) == 200
    for entry in (entries[0], entries[99], entries[199]):
        assert f"Message-ID: {entry.message_id}".encode() in sink.mailbox.read(entry.n).raw
    assert [entry.n for entry in sink.mailbox.newest(limit=3, before=100)] == [99, 98, 97]


def test_a_killed_sink_keeps_what_it_acknowledged(start_sink: Callable[..., Any]) -> None:
    first = start_sink()
    with smtplib.SMTP(first.host, first.port) as client:
        client.send_message(a_mail(1))
        first.process.kill()
        first.process.wait()
        # As if it had died in the middle of a line.
        with (first.mailbox.directory / LOG).open("a") as file:
            file.write('{"n":2,"at":"20')
        second = start_sink(directory=first.mailbox.directory)
        with smtplib.SMTP(second.host, second.port) as again:
            again.send_message(a_mail(2))
        client.close()
    assert [(entry.n, entry.message_id) for entry in second.mailbox.entries()] == [
        (1, "<1@example.com>"),
        (2, "<2@example.com>"),
    ]
    assert second.mailbox.read(2).text.startswith("Text part")


def test_faults_refuse_and_hang_up_as_asked(start_sink: Callable[..., Any], tmp_path: Path) -> None:
    refusing = start_sink("--reject", "1", "--reject-code", "550", directory=tmp_path / "refusing")
    with smtplib.SMTP(refusing.host, refusing.port) as client:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            client.send_message(a_mail())
        assert refusal.value.smtp_code == 550
    assert refusing.mailbox.count() == 0
    for option, kept in (("--drop", 1), ("--drop-unkept", 0)):
        dropping = start_sink(option, "1", directory=tmp_path / option)
        client = smtplib.SMTP(dropping.host, dropping.port)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.send_message(a_mail())
        client.close()
        assert [entry.fault for entry in dropping.mailbox.entries()] == ["dropped"] * kept


def test_commands_out_of_order_are_refused(sink: Any) -> None:
    with smtplib.SMTP(sink.host, sink.port) as client:
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
        client.ehlo()
        assert client.has_extn("pipelining")
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("RCPT", "TO:<a@example.com>")[0] == 503
        assert client.docmd("MAIL", "FROM:<a@example.com> SIZE=12")[0] == 250
        assert client.docmd("RCPT", "TO:nobody")[0] == 501
        assert client.docmd("WHAT")[0] == 502
        assert client.rset()[0] == 250


def test_headers_are_read_with_their_folded_lines() -> None:
    raw = b"Subject: x\r\nX-Long: one\r\n two\r\nMESSAGE-ID: <1@x>\r\n\r\nX-Body: no\r\n"
    assert noted_headers(raw) == ("<1@x>", {"x-long": "one two"})


def test_a_full_disk_leaves_no_half_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SinkLog(tmp_path)
    log.append([Mail("a@example.com", ["b@example.com"], b"Subject: 1\r\n\r\none\r\n")])
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, bytes(content)[:5]) and _full())
    with pytest.raises(OSError, match="No space"):
        log.append([Mail("a@example.com", ["b@example.com"], b"Subject: 2\r\n\r\ntwo\r\n")])
    monkeypatch.undo()
    log.append([Mail("a@example.com", ["b@example.com"], b"Subject: 3\r\n\r\nthree\r\n")])
    log.close()
    box = Mailbox(tmp_path)
    assert [json.loads(line)["n"] for line in (tmp_path / LOG).read_text().splitlines()] == [1, 2]
    assert [box.read(n).text for n in (1, 2)] == ["one\n", "three\n"]


def _full() -> int:
    raise OSError(28, "No space left on device")
