"""Whatever a brand's color is, it can be read."""

from hypothesis import given
from hypothesis import strategies as st

from loyalty.portal.colors import contrast, shades


@given(st.integers(0, 0xFFFFFF))
def test_every_accent_can_be_read(color: int) -> None:
    found = shades(f"#{color:06x}")
    assert contrast(found.light, "#ffffff") >= 4.9
    assert contrast(found.dark, "#1b1d22") >= 4.9
    assert contrast(found.light, found.on_light) >= 4.5
    assert contrast(found.dark, found.on_dark) >= 4.5


def test_a_dark_accent_stays_as_it_is_on_light_ground() -> None:
    assert shades("#8a4b2a").light == "#8a4b2a"
    assert shades("#ffee00").light != "#ffee00"
