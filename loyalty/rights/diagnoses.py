"""What `manage.py doctor` looks at here: whether answers to people can be written on paper."""

from collections.abc import Iterable

from loyalty.kit import paper
from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok


@diagnosis("paper", order=80)
def look_at_paper() -> Iterable[Finding]:
    """The fonts of PDFs can be read."""
    try:
        letters = paper.fonts()
    except paper.FontError as error:
        yield broken(f"PDFs cannot be written: {error}", "let PDF_FONT name a TrueType file (.ttf), or unset it")
        return
    yield ok(f"PDFs are written with {len(letters):,} letters; PDF_FONT names a font with others")
