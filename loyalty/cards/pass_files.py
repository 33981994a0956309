"""Pure: the file of a pass for Apple Wallet: `pass.json`, its pictures, the manifest of their hashes, its signature.

Source: Apple, "Building a Pass". The zip holds no times, so that the same pass is the same file but for its signature.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ICON_SIZES = {"icon.png": 29, "icon@2x.png": 58, "icon@3x.png": 87, "logo.png": 50, "logo@2x.png": 100}
_BEGIN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Face:
    """What stands on a pass, in the language of its owner; `usable` false: the card works no more."""

    club: str
    number: str
    printed: str
    points: int
    unit: str
    tier: str
    holder: str
    words: Mapping[str, str]
    page: str
    usable: bool = True

    @property
    def digest(self) -> bytes:
        """Changes with everything that is shown."""
        said = [self.club, self.number, self.points, self.unit, self.tier, self.holder, self.page, self.usable]
        return hashlib.sha256(json.dumps([*said, dict(self.words)]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who a pass is from, and where it gets news; `service` is empty where there is no https."""

    pass_type: str
    team: str
    color: tuple[int, int, int]
    service: str


def ink(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever is easier to read on the color (WCAG relative luminance)."""
    parts = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in color]
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return (0, 0, 0) if light > 0.179 else (255, 255, 255)


def pass_json(face: Face, issuer: Issuer, *, serial: str, token: str) -> dict[str, Any]:
    """The pass: a store card with the points, the tier and the card's number as QR code."""
    words = face.words
    fields: dict[str, Any] = {
        "headerFields": [{"key": "tier", "label": words["tier"], "value": face.tier}] if face.tier else [],
        "primaryFields": [{"key": "points", "label": face.unit, "value": face.points, "changeMessage": "%@"}],
        "secondaryFields": [{"key": "holder", "label": words["holder"], "value": face.holder}] if face.holder else [],
        "auxiliaryFields": [],
        "backFields": [
            {"key": "number", "label": words["number"], "value": face.printed},
            {"key": "page", "label": words["page"], "value": face.page},
        ],
    }
    made = {
        "formatVersion": 1,
        "passTypeIdentifier": issuer.pass_type,
        "serialNumber": serial,
        "teamIdentifier": issuer.team,
        "organizationName": face.club,
        "description": f"{face.club}: {words['card']}",
        "logoText": face.club,
        "backgroundColor": _rgb(issuer.color),
        "foregroundColor": _rgb(ink(issuer.color)),
        "labelColor": _rgb(ink(issuer.color)),
        "sharingProhibited": True,
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": face.number,
                "messageEncoding": "iso-8859-1",
                "altText": face.printed,
            }
        ],
        "storeCard": fields,
    }
    if issuer.service:
        made |= {"webServiceURL": issuer.service, "authenticationToken": token}
    return made if face.usable else {**made, "voided": True, "barcodes": []}


def _rgb(color: tuple[int, int, int]) -> str:
    return f"rgb({color[0]}, {color[1]}, {color[2]})"


def bundle(made: Mapping[str, Any], color: tuple[int, int, int], sign: Callable[[bytes], bytes]) -> bytes:
    """The `.pkpass` file; `sign` makes the detached signature of the manifest."""
    files = {name: picture(size, color) for name, size in ICON_SIZES.items()}
    files["pass.json"] = json.dumps(made, ensure_ascii=False).encode()
    hashes = {name: hashlib.sha1(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    files["manifest.json"] = json.dumps(hashes).encode()
    files["signature"] = sign(files["manifest.json"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _BEGIN), content)
    return out.getvalue()


def picture(size: int, color: tuple[int, int, int]) -> bytes:
    """A small card as PNG: our own sign where the club has none. RGB, no interlace (ISO/IEC 15948)."""
    line = ink(color)
    left, right, top, bottom = size * 14 // 100, size * 86 // 100, size * 26 // 100, size * 74 // 100
    stripe = range(size * 38 // 100, size * 48 // 100)
    rows = []
    for y in range(size):
        inside = top <= y < bottom
        pixels = [line if inside and left <= x < right and y not in stripe else color for x in range(size)]
        rows.append(b"\0" + b"".join(bytes(pixel) for pixel in pixels))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
