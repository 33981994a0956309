"""Pure: card numbers as pictures: a QR code for screens, a bar code (Code 128, ISO/IEC 15417) for hand scanners."""

import io

import segno

# Widths of bars and spaces of the symbols 0 to 105; 103 to 105 start, 106 stops.
_TEXT = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
    "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
    "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
    "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
    "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
    "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
    "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
    "211232 2331112"
)
_WIDTHS = tuple(_TEXT.split())
START_B, START_C, TO_B, STOP = 104, 105, 100, 106
QUIET = 10


def symbols(text: str) -> list[int]:
    """The symbols of Code 128 for the text: pairs of digits where all are digits, else single characters.

    Raises ValueError for anything but printable ASCII.
    """
    if not text or any(not 32 <= ord(character) < 127 for character in text):
        raise ValueError(f"{text!r} cannot be written as a bar code")
    if text.isdigit() and len(text) > 1:
        found = [START_C, *(int(text[place : place + 2]) for place in range(0, len(text) - 1, 2))]
        if len(text) % 2:
            found += [TO_B, ord(text[-1]) - 32]
    else:
        found = [START_B, *(ord(character) - 32 for character in text)]
    check = (found[0] + sum(place * value for place, value in enumerate(found[1:], 1))) % 103
    return [*found, check, STOP]


def barcode_svg(text: str, *, height: int = 60) -> str:
    """The bar code with its number below; raises ValueError."""
    bars, x = [], QUIET
    for symbol in symbols(text):
        for place, width in enumerate(map(int, _WIDTHS[symbol])):
            if place % 2 == 0:
                bars.append(f"M{x} 0h{width}v{height}h-{width}z")
            x += width
    shown = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x + QUIET} {height + 16}" role="img"'
        f' aria-label="{shown.replace(chr(34), "&quot;")}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path d="{"".join(bars)}" fill="#000"/><text x="{(x + QUIET) / 2}" y="{height + 13}" font-size="12"'
        f' font-family="monospace" text-anchor="middle" fill="#000">{shown}</text></svg>'
    )


def qr_svg(text: str, *, label: str = "") -> str:
    """The QR code, black on white with its quiet zone, as wide as its frame."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, light="#fff", title=label or None)
    return out.getvalue().decode()
