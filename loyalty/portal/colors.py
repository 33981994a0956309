"""Pure: shades of a brand's color that everybody can read, on light and on dark ground (WCAG 2.1, 1.4.3)."""

from typing import NamedTuple

# Text needs 4.5; a little more, because it also stands on tinted ground.
CONTRAST = 5.0
LIGHT_GROUND, DARK_GROUND = (255, 255, 255), (27, 29, 34)
Rgb = tuple[int, int, int]


class Shades(NamedTuple):
    """The accent and what is written on it, for both schemes, as `#rrggbb`."""

    light: str
    on_light: str
    dark: str
    on_dark: str


def shades(accent: str) -> Shades:
    """The nearest shades of `accent` (`#rrggbb`) that can be read."""
    rgb = _read(accent)
    light = _until_readable(rgb, LIGHT_GROUND, (0, 0, 0))
    dark = _until_readable(rgb, DARK_GROUND, (255, 255, 255))
    return Shades(_written(light), _on(light), _written(dark), _on(dark))


def contrast(one: str, other: str) -> float:
    """The contrast of two colors, 1 to 21."""
    return _contrast(_read(one), _read(other))


def _read(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _written(rgb: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _until_readable(rgb: Rgb, ground: Rgb, toward: Rgb) -> Rgb:
    for step in range(101):
        mixed = tuple(round(a + (b - a) * step / 100) for a, b in zip(rgb, toward, strict=True))
        found = (mixed[0], mixed[1], mixed[2])
        if _contrast(found, ground) >= CONTRAST:
            return found
    return toward


def _on(rgb: Rgb) -> str:
    white, ink = (255, 255, 255), (16, 18, 22)
    return _written(white if _contrast(rgb, white) >= _contrast(rgb, ink) else ink)


def _contrast(one: Rgb, other: Rgb) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Rgb) -> float:
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in (n / 255 for n in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
