"""The accounts at the makers of phones that sign passes; both come from files that the settings name."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from django.conf import settings


class BadAccount(ValueError):
    """The account cannot sign; the text says what is wrong with which setting."""


@dataclass(frozen=True)
class Apple:
    """The certificate of a pass type; its subject says which (UID) and whose team (OU)."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    between: x509.Certificate
    pass_type: str
    team: str

    @property
    def ends_at(self) -> datetime:
        return self.certificate.not_valid_after_utc

    def sign(self, content: bytes) -> bytes:
        """A detached PKCS#7 signature with the certificates that lead to Apple's, DER."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
        builder = builder.add_signer(self.certificate, self.key, hashes.SHA256()).add_certificate(self.between)
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        return builder.sign(serialization.Encoding.DER, options)


@dataclass(frozen=True)
class Google:
    """A service account that may issue passes of one class."""

    email: str
    key: rsa.RSAPrivateKey
    pass_class: str

    @property
    def issuer(self) -> str:
        return self.pass_class.partition(".")[0]

    def sign(self, content: Mapping[str, Any]) -> str:
        """A JSON Web Token (RS256, RFC 7515)."""
        parts = [_part({"alg": "RS256", "typ": "JWT"}), _part(content)]
        signed = ".".join(parts).encode()
        return ".".join([*parts, _base64(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))])


def _part(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def apple() -> Apple | None:
    """The account, None where nothing is set; raises BadAccount."""
    given, between = settings.WALLET_APPLE_CERTIFICATE, settings.WALLET_APPLE_AUTHORITY
    if not given and not between:
        return None
    if not given or not between:
        missing = "WALLET_APPLE_AUTHORITY" if given else "WALLET_APPLE_CERTIFICATE"
        raise BadAccount(f"{missing} is missing")
    first, second = _read("WALLET_APPLE_CERTIFICATE", given), _read("WALLET_APPLE_AUTHORITY", between)
    return _apple(first, second, settings.WALLET_APPLE_PASSWORD)


@lru_cache(maxsize=4)
def _apple(given: bytes, between: bytes, password: str) -> Apple:
    try:
        certificate = x509.load_pem_x509_certificate(given)
        key = serialization.load_pem_private_key(given, password.encode() or None)
    except (ValueError, TypeError) as error:
        raise BadAccount(f"WALLET_APPLE_CERTIFICATE holds no certificate with its key as PEM ({error})") from None
    try:
        authority = x509.load_pem_x509_certificate(between)
    except ValueError:
        raise BadAccount("WALLET_APPLE_AUTHORITY holds no certificate as PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise BadAccount("WALLET_APPLE_CERTIFICATE has a key that cannot sign")
    if key.public_key() != certificate.public_key():
        raise BadAccount("WALLET_APPLE_CERTIFICATE holds a key that is not the certificate's")
    if certificate.issuer != authority.subject:
        raise BadAccount("WALLET_APPLE_AUTHORITY did not issue the certificate")
    names = [
        certificate.subject.get_attributes_for_oid(oid) for oid in (NameOID.USER_ID, NameOID.ORGANIZATIONAL_UNIT_NAME)
    ]
    if not all(names):
        raise BadAccount("WALLET_APPLE_CERTIFICATE is not the certificate of a pass type: it names no UID and OU")
    return Apple(certificate, key, authority, str(names[0][0].value), str(names[1][0].value))


def google() -> Google | None:
    """The account, None where nothing is set; raises BadAccount."""
    file, pass_class = settings.WALLET_GOOGLE_KEY, settings.WALLET_GOOGLE_CLASS
    if not file and not pass_class:
        return None
    if not file or not re.fullmatch(r"[0-9]{1,30}\.[A-Za-z0-9._-]{1,100}", pass_class):
        raise BadAccount("WALLET_GOOGLE_CLASS is not <issuer>.<class>" if file else "WALLET_GOOGLE_KEY is missing")
    return _google(_read("WALLET_GOOGLE_KEY", file), pass_class)


@lru_cache(maxsize=4)
def _google(content: bytes, pass_class: str) -> Google:
    try:
        said = json.loads(content)
        key = serialization.load_pem_private_key(said["private_key"].encode(), None)
        email = str(said["client_email"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadAccount("WALLET_GOOGLE_KEY is not the key of a service account as JSON") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadAccount("WALLET_GOOGLE_KEY holds a key of another kind than RSA")
    return Google(email, key, pass_class)


def _read(name: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadAccount(f"{name} cannot be read: {error.strerror}") from None


def color() -> tuple[int, int, int]:
    """The color of passes; raises BadAccount."""
    found = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", settings.WALLET_COLOR)
    if not found:
        raise BadAccount("WALLET_COLOR is no color: write for example #1f4f8f")
    return int(found[1], 16), int(found[2], 16), int(found[3], 16)
