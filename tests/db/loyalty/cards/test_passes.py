"""The card in a phone: a signed file that Apple's rules accept, a link for Google, and news for the phones."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.test import Client

from loyalty.cards import operations, passes
from loyalty.cards.diagnoses import look_at_passes
from loyalty.cards.models import WalletDevice, WalletPass
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.kit import clock
from loyalty.program import names
from loyalty.program.movements import Grant, grant
from tests.db.loyalty.cards.wallet import SERIES
from tests.db.loyalty.program import club

pytestmark = pytest.mark.django_db
TYPE, TEAM = "pass.example.club", "TEAM123456"
KEY = rsa.generate_private_key(65537, 2048)
PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate(subject: x509.Name, issuer: x509.Name, key: Any, signer: Any, *, days: int, ca: bool) -> bytes:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).sign(signer, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def apple(tmp_path: Path, settings: Any) -> Path:
    """An account with certificates of our own making."""
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of tests")])
    subject = x509.Name([
        x509.NameAttribute(NameOID.USER_ID, TYPE), x509.NameAttribute(NameOID.COMMON_NAME, f"Pass Type ID: {TYPE}"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, TEAM),
    ])  # fmt: skip
    root = rsa.generate_private_key(65537, 2048)
    (tmp_path / "ca.pem").write_bytes(certificate(authority, authority, root, root, days=900, ca=True))
    own = certificate(subject, authority, KEY, root, days=90, ca=False)
    (tmp_path / "own.pem").write_bytes(own + KEY.private_bytes(*PEM))
    settings.WALLET_APPLE_CERTIFICATE = str(tmp_path / "own.pem")
    settings.WALLET_APPLE_AUTHORITY = str(tmp_path / "ca.pem")
    settings.PUBLIC_URL = "https://club.example"
    return tmp_path


@pytest.fixture
def google(tmp_path: Path, settings: Any) -> None:
    said = {"client_email": "passes@club.example", "private_key": KEY.private_bytes(*PEM).decode()}
    (tmp_path / "google.json").write_text(json.dumps(said))
    settings.WALLET_GOOGLE_KEY = str(tmp_path / "google.json")
    settings.WALLET_GOOGLE_CLASS = "3388000000012345678.club"


def anna(points: int = 120) -> int:
    """A member with a card and points."""
    from loyalty.program import operations as program

    gold = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 5000, "name": {"en": "Gold", "de": "Gold"}}
    setup = club.applied(SERIES, gold)
    customer_id = club.customer("anna")
    Customer.objects.filter(pk=customer_id).update(first_name="Anna", last_name="Amsel", locale="de")
    program.join(customer_ids=[customer_id], setup=setup, now=club.NOW)
    give(points)
    operations.ensure_card(customer_id=customer_id, now=club.NOW, by="test")
    return customer_id


def give(points: int) -> None:
    from loyalty.program.setup import load

    grants = [Grant(club.member_of("anna"), points)]
    grant(grants, setup=load(), wallet=None, kind=names.IMPORT, reason=None, now=club.NOW)


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def fetched(client: Client, customer_id: int) -> dict[str, bytes]:
    link = passes.links_for(customer_id, now=clock.now()).apple
    assert link.startswith("https://club.example/passes/apple/") and link.endswith(".pkpass")
    answer = client.get(link.removeprefix("https://club.example"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/vnd.apple.pkpass")
    return opened(answer.content)


def test_a_pass_says_what_the_card_says(apple: Path, client: Client) -> None:
    customer_id = anna()
    files = fetched(client, customer_id)
    made = json.loads(files["pass.json"])
    number = made["barcodes"][0]["message"]
    assert (made["passTypeIdentifier"], made["teamIdentifier"], made["formatVersion"]) == (TYPE, TEAM, 1)
    assert (len(number), number[:4], made["barcodes"][0]["altText"].replace(" ", "")) == (13, "2790", number)
    assert made["storeCard"]["primaryFields"][0]["value"] == 120
    assert made["storeCard"]["secondaryFields"][0]["value"] == "Anna Amsel"
    assert made["webServiceURL"] == "https://club.example/passes/apple/"
    assert len(made["authenticationToken"]) >= 16
    assert (made["backgroundColor"], made["foregroundColor"]) == ("rgb(31, 79, 143)", "rgb(255, 255, 255)")
    assert "voided" not in made
    # Nothing in it, nor in its address, leads to the person but their name and card.
    assert made["serialNumber"] != str(customer_id) and "anna" not in made["serialNumber"]


def test_the_manifest_has_all_files_and_its_signature_holds(apple: Path, client: Client) -> None:
    files = fetched(client, anna())
    manifest = json.loads(files["manifest.json"])
    assert set(manifest) == set(files) - {"manifest.json", "signature"}
    assert {"icon.png", "icon@2x.png", "logo.png", "pass.json"} <= set(manifest)
    for name, told in manifest.items():
        assert hashlib.sha1(files[name]).hexdigest() == told
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to verify the signature with")
    for name in ("manifest.json", "signature"):
        (apple / name).write_bytes(files[name])
    command = [
        openssl, "smime", "-verify", "-inform", "DER", "-in", "signature", "-content", "manifest.json", "-binary",
        "-CAfile", "ca.pem", "-purpose", "any",
    ]  # fmt: skip
    assert subprocess.run(command, cwd=apple, capture_output=True, check=False).returncode == 0
    (apple / "manifest.json").write_bytes(files["manifest.json"] + b" ")
    assert subprocess.run(command, cwd=apple, capture_output=True, check=False).returncode != 0


def test_its_pictures_can_be_read() -> None:
    from PIL import Image

    from loyalty.cards.pass_files import picture

    image = Image.open(io.BytesIO(picture(58, (31, 79, 143))))
    image.load()
    assert (image.size, image.mode) == ((58, 58), "RGB")
    assert (image.getpixel((0, 0)), image.getpixel((29, 35))) == ((31, 79, 143), (255, 255, 255))


def test_links_run_out_and_cannot_be_made(apple: Path, client: Client) -> None:
    customer_id = anna()
    old = passes.link_token(customer_id, now=clock.now() - timedelta(minutes=31))
    for token in (old, "x", passes.serial_of(customer_id), passes.token_of(customer_id)):
        answer = client.get(f"/passes/apple/{token}.pkpass")
        assert answer.status_code == 410
        assert "This link has run out" in answer.content.decode()


class Phone:
    """What Wallet on a phone asks."""

    def __init__(self, client: Client, customer_id: int) -> None:
        self.client, self.serial = client, passes.serial_of(customer_id)
        self.auth = {"Authorization": f"ApplePass {passes.token_of(customer_id)}"}
        self.registered = f"/passes/apple/v1/devices/phone-1/registrations/{TYPE}"

    def add(self, **rest: Any) -> int:
        body = {"pushToken": "abc"}
        answer = self.client.post(
            f"{self.registered}/{self.serial}", body, content_type="application/json", headers=rest or self.auth
        )
        return answer.status_code

    def news(self, since: str = "") -> Any:
        answer = self.client.get(self.registered + (f"?passesUpdatedSince={since}" if since else ""))
        return answer.json() if answer.status_code == 200 else answer.status_code

    def latest(self, **headers: str) -> Any:
        return self.client.get(f"/passes/apple/v1/passes/{TYPE}/{self.serial}", headers=self.auth | headers)


def test_a_phone_gets_the_pass_again_when_it_says_something_else(apple: Path, client: Client) -> None:
    phone = Phone(client, anna())
    assert phone.news() == 204
    assert (phone.add(), phone.add()) == (201, 200)
    first = phone.news()
    assert first["serialNumbers"] == [phone.serial]
    assert phone.news(first["lastUpdated"]) == 204
    answer = phone.latest()
    assert answer.status_code == 200
    assert phone.latest(**{"If-Modified-Since": answer["Last-Modified"]}).status_code == 304
    give(30)
    second = phone.news(first["lastUpdated"])
    assert second["serialNumbers"] == [phone.serial]
    assert int(second["lastUpdated"]) > int(first["lastUpdated"])
    made = json.loads(opened(phone.latest().content)["pass.json"])
    assert made["storeCard"]["primaryFields"][0]["value"] == 150
    assert client.delete(f"{phone.registered}/{phone.serial}", headers=phone.auth).status_code == 200
    assert (WalletDevice.objects.count(), WalletPass.objects.count(), phone.news()) == (0, 0, 204)


def test_a_replaced_card_changes_its_number_and_who_left_loses_it(apple: Path, client: Client) -> None:
    customer_id = anna()
    phone = Phone(client, customer_id)
    phone.add()
    old = json.loads(opened(phone.latest().content)["pass.json"])["barcodes"][0]["message"]
    new = operations.replace(number=old, reason="lost", by="test", now=club.NOW)
    made = json.loads(opened(phone.latest().content)["pass.json"])
    assert (made["barcodes"][0]["message"], made["serialNumber"]) == (new.number, phone.serial)
    operations.block(number=new.number, reason="stolen", by="test", now=club.NOW)
    made = json.loads(opened(phone.latest().content)["pass.json"])
    assert (made["voided"], made["barcodes"]) == (True, [])
    assert passes.links_for(customer_id, now=clock.now()) == passes.Links()


def test_nobody_else_gets_it_or_gets_through(apple: Path, client: Client) -> None:
    customer_id = anna()
    phone = Phone(client, customer_id)
    wrong = {"Authorization": f"ApplePass {passes.token_of(customer_id + 1)}"}
    assert phone.add(**wrong) == 401
    assert phone.add(Authorization="Bearer x") == 401
    assert phone.add(Authorization="ApplePass ü") == 401
    assert client.get(f"/passes/apple/v1/passes/{TYPE}/{phone.serial}").status_code == 401
    assert client.get(f"/passes/apple/v1/passes/other/{phone.serial}", headers=phone.auth).status_code == 404
    for body in (b"", b"[]", b"{}", b'{"pushToken": 5}', b'{"pushToken": "' + b"x" * 300 + b'"}', b"[" * 9000):
        answer = client.post(
            f"{phone.registered}/{phone.serial}", body, content_type="application/json", headers=phone.auth
        )
        assert answer.status_code == 400
    assert WalletDevice.objects.count() == 0
    assert (
        client.post("/passes/apple/v1/log", {"logs": ["a\nb"] * 50}, content_type="application/json").status_code == 200
    )
    assert client.post("/passes/apple/v1/log", b"x", content_type="application/json").status_code == 400


def test_google_gets_a_signed_card(google: None, settings: Any) -> None:
    customer_id = anna()
    found = passes.links_for(customer_id, now=clock.now())
    assert found.apple == ""
    head, body, signature = found.google.removeprefix("https://pay.google.com/gp/v/save/").split(".")
    read = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
    KEY.public_key().verify(read(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(read(head)) == {"alg": "RS256", "typ": "JWT"}
    said = json.loads(read(body))
    assert (said["iss"], said["aud"], said["typ"]) == ("passes@club.example", "google", "savetowallet")
    card = said["payload"]["loyaltyObjects"][0]
    assert card["id"] == f"3388000000012345678.{passes.serial_of(customer_id)}"
    assert (card["classId"], card["state"], card["loyaltyPoints"]["balance"]) == (
        "3388000000012345678.club",
        "ACTIVE",
        {"int": 120},
    )
    # Google refuses links that are much longer.
    assert len(found.google) < 1800


def test_without_accounts_there_is_nothing_to_see() -> None:
    assert passes.links_for(anna(), now=clock.now()) == passes.Links()
    assert [one.level for one in look_at_passes()] == ["ok"]


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({}, "ok", "passes for Apple Wallet: pass.example.club, until"),
        ({"WALLET_APPLE_AUTHORITY": ""}, "broken", "WALLET_APPLE_AUTHORITY is missing"),
        ({"WALLET_APPLE_CERTIFICATE": "/nowhere"}, "broken", "WALLET_APPLE_CERTIFICATE cannot be read"),
        (
            {"WALLET_APPLE_CERTIFICATE": "ca.pem"},
            "broken",
            "WALLET_APPLE_CERTIFICATE holds no certificate with its key",
        ),
        ({"WALLET_APPLE_AUTHORITY": "own.pem"}, "broken", "WALLET_APPLE_AUTHORITY did not issue the certificate"),
        ({"WALLET_COLOR": "blue"}, "broken", "WALLET_COLOR is no color"),
        ({"WALLET_GOOGLE_CLASS": "1.club"}, "broken", "WALLET_GOOGLE_KEY is missing"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "warning", "passes for Apple Wallet get no news"),
    ],
)
def test_the_doctor_says_what_is_missing(
    apple: Path, settings: Any, change: dict[str, str], level: str, said: str
) -> None:
    for name, value in change.items():
        setattr(settings, name, str(apple / value) if value.endswith(".pem") else value)
    found = list(look_at_passes())
    assert (found[0].level, found[0].text[: len(said)]) == (level, said)
    if level == "broken":
        assert passes.links_for(anna(), now=clock.now()) == passes.Links()


def test_forgotten_people_have_no_pass(apple: Path, client: Client) -> None:
    customer_id = anna()
    phone = Phone(client, customer_id)
    phone.add()
    erase_customers(customer_ids=[customer_id])
    assert (WalletDevice.objects.count(), WalletPass.objects.count()) == (0, 0)
    assert (phone.latest().status_code, phone.news()) == (404, 204)
