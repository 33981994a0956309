"""The outbound client against servers that mean harm: it connects only to what it has judged, and never waits long."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loyalty.kit import outbound
from loyalty.kit.outbound import OutboundError, send


class Site:
    """A server on this machine; `answer(handler)` says what it does, `seen` what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        site = self
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Any = lambda handler: site.reply(handler, 200, b"fine")

        class Handler(http.server.BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                site.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                site.answer(self)

            do_GET = do_POST = serve  # noqa: N815

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    self.wfile.close()
                finally:
                    self.rfile.close()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def reply(handler: Any, status: int, body: bytes = b"", **headers: str) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    found = Site()
    settings.OUTBOUND_ALLOW = [f"shop.test:{found.port}"]
    settings.OUTBOUND_HTTP = True
    yield found
    found.close()


def local(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def get(site: Site, path: str = "/", host: str = "shop.test", **rest: Any) -> outbound.Answer:
    return send("GET", f"http://{host}:{site.port}{path}", resolve=local, **rest)


def failing(*args: Any, **rest: Any) -> OutboundError:
    with pytest.raises(OutboundError) as failed:
        send(*args, **rest)
    return failed.value


def test_a_request_names_its_host_and_takes_no_compressed_answer(site: Site) -> None:
    answer = send(
        "POST", f"http://shop.test:{site.port}/in?x=1", headers={"X-Key": "k"}, body=b"{}", resolve=local
    )  # fmt: skip
    assert (answer.status, answer.body, answer.fine) == (200, b"fine", True)
    method, path, headers, body = site.seen[0]
    assert (method, path, body) == ("POST", "/in?x=1", b"{}")
    assert headers["host"] == f"shop.test:{site.port}"
    assert (headers["x-key"], headers["accept-encoding"]) == ("k", "identity")
    assert headers["user-agent"] == "loyalty-campaigns/1"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"],
)
def test_every_spelling_of_this_machine_is_refused_and_nothing_connects(site: Site, host: str) -> None:
    error = failing("GET", f"http://{host}:{site.port}/")
    assert (error.kind, error.sent) == ("refused", False) or error.kind == "unreachable"
    assert site.seen == []


def test_one_bad_address_among_good_ones_refuses_the_name(site: Site) -> None:
    error = failing("GET", "https://evil.example/", resolve=lambda host, port: ["93.184.215.14", "169.254.169.254"])
    assert str(error) == "169.254.169.254 is not an address of the public internet"


def test_a_name_that_changes_its_mind_is_asked_once(site: Site) -> None:
    """Rebinding: the first answer is allowed and is what is connected to; there is no second question."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    assert send("GET", f"http://shop.test:{site.port}/", resolve=resolve).status == 200
    assert asked == ["shop.test"]
    # And the other way round: a public address first does not open the door to a second, inner one.
    outer = failing("GET", f"http://evil.test:{site.port}/", resolve=lambda host, port: ["93.184.215.14"])
    assert str(outer) == f"port {site.port} is not 80"
    assert len(site.seen) == 1


def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(site).status == 200


def test_redirects_are_an_answer_unless_they_are_asked_for(site: Site) -> None:
    site.answer = lambda handler: Site.reply(handler, 302, Location="http://169.254.169.254/latest/meta-data/")
    assert get(site).status == 302
    error = failing("GET", f"http://shop.test:{site.port}/", resolve=outbound_resolver, redirects=3)
    assert (error.kind, error.sent) == ("refused", True)
    assert str(error) == "169.254.169.254 is not an address of the public internet"


def outbound_resolver(host: str, port: int) -> list[str]:
    return ["127.0.0.1"] if host.endswith(".test") else outbound.addresses_of(host, port)


def test_redirects_carry_nothing_of_ours_to_another_host(site: Site, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = [f"shop.test:{site.port}", f"other.test:{site.port}"]

    def answer(handler: Any) -> None:
        if handler.path == "/":
            Site.reply(handler, 302, Location="/here")
        elif handler.path == "/here":
            Site.reply(handler, 307, Location=f"http://other.test:{site.port}/there")
        else:
            Site.reply(handler, 200, b"there")

    site.answer = answer
    secret = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Key": "k", "Accept": "text/plain"}
    done = get(site, headers=secret, redirects=3)
    assert (done.body, done.url) == (b"there", f"http://other.test:{site.port}/there")
    assert [("authorization" in headers, "x-key" in headers) for _m, _p, headers, _b in site.seen] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    assert site.seen[2][2]["accept"] == "text/plain" and "cookie" not in site.seen[2][2]
    posted = failing("POST", f"http://shop.test:{site.port}/here", body=b"x", resolve=local, redirects=3)
    assert str(posted) == "the redirect would take the content to another host"


def test_a_circle_of_redirects_ends(site: Site) -> None:
    site.answer = lambda handler: Site.reply(handler, 302, Location="/")
    error = failing("GET", f"http://shop.test:{site.port}/", resolve=local, redirects=99)
    assert (error.kind, len(site.seen)) == ("refused", 4)
    site.seen.clear()
    site.answer = lambda handler: Site.reply(handler, 303 if handler.path == "/" else 200, Location="/done")
    assert send("POST", f"http://shop.test:{site.port}/", body=b"x", resolve=local, redirects=1).status == 200
    assert [(one[0], one[1], one[3]) for one in site.seen] == [("POST", "/", b"x"), ("GET", "/done", b"")]


def test_an_answer_without_end_is_cut(site: Site) -> None:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 100_000)

    site.answer = answer
    error = failing("GET", f"http://shop.test:{site.port}/", resolve=local, most=50_000)
    assert (error.kind, error.sent, str(error)) == ("too_large", True, "the answer is larger than 50,000 bytes")


@pytest.mark.parametrize("part", ["head", "body", "nothing"])
def test_an_answer_byte_by_byte_ends_at_the_deadline(site: Site, part: str) -> None:
    def answer(handler: Any) -> None:
        if part == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
        for char in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
            if part == "nothing":
                time.sleep(3)
            handler.wfile.write(bytes([char]))
            handler.wfile.flush()
            time.sleep(0.05)

    site.answer = answer
    begun = time.monotonic()
    error = failing("GET", f"http://shop.test:{site.port}/", resolve=local, seconds=0.4)
    assert (error.kind, error.sent) == ("timeout", True)
    assert time.monotonic() - begun < 2


def test_a_name_that_is_never_answered_ends_at_the_deadline() -> None:
    begun = time.monotonic()
    error = failing("GET", "https://slow.example/", resolve=lambda host, port: time.sleep(3) or [], seconds=0.2)
    assert (error.kind, error.sent) == ("timeout", False)
    assert time.monotonic() - begun < 1


def test_what_is_not_there_says_so(site: Site) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    assert failing("GET", "https://nowhere.example/", resolve=unknown).kind == "unreachable"
    port = site.port
    site.close()
    error = failing("GET", f"http://shop.test:{port}/", resolve=local)
    assert (error.kind, error.sent) == ("unreachable", False)
    assert "refused" in str(error)


def test_an_answer_that_is_none_is_told(site: Site) -> None:
    site.answer = lambda handler: handler.wfile.write(b"garbage\r\n\r\n")
    error = failing("GET", f"http://shop.test:{site.port}/", resolve=local)
    assert (error.kind, error.sent) == ("broken", True)
    bad = failing("GET", f"http://shop.test:{site.port}/", resolve=local, headers={"X": "a\r\nY: b"})
    assert bad.kind == "broken"


def certified(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_the_certificate_is_that_of_the_name_not_of_the_address(tmp_path: Path, settings: Any) -> None:
    file = certified(tmp_path, "shop.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    secure = Site(context)
    try:
        settings.OUTBOUND_ALLOW = ["127.0.0.0/8"]
        unknown = failing("GET", f"https://shop.test:{secure.port}/", resolve=local)
        assert unknown.kind == "unreachable" and "CERTIFICATE_VERIFY_FAILED" in str(unknown)
        settings.OUTBOUND_CA_FILE = str(file)
        assert send("GET", f"https://shop.test:{secure.port}/", resolve=local).body == b"fine"
        wrong = failing("GET", f"https://other.test:{secure.port}/", resolve=local)
        assert wrong.kind == "unreachable" and "other.test" in str(wrong)
        assert names == ["shop.test", "shop.test", "other.test"]
        # From an encrypted page nothing leads to one that is not.
        settings.OUTBOUND_HTTP = True
        secure.answer = lambda handler: Site.reply(handler, 302, Location="http://shop.test/")
        down = failing("GET", f"https://shop.test:{secure.port}/", resolve=local, redirects=1)
        assert str(down) == "the redirect leaves the encrypted connection"
    finally:
        secure.close()


def test_a_form_says_at_once_what_is_wrong(settings: Any) -> None:
    settings.OUTBOUND_ALLOW, settings.OUTBOUND_HTTP = [], False
    assert outbound.objection("https://shop.example/in") == ""
    assert outbound.objection("http://shop.example/in") == "is not encrypted: use https://"
    assert outbound.objection("https://10.0.0.1/in") == "10.0.0.1 is not an address of the public internet"
    assert outbound.objection("https://[::1]/in") == "::1 is not an address of the public internet"
