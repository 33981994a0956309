import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import reportlab
from pypdf import PdfReader
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Paragraph

from loyalty.kit import paper


@pytest.fixture(autouse=True)
def _fresh_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The library registers a name once for a process.
    for registered in ("_fonts", "_dynFaceNames"):
        monkeypatch.setattr(paper.pdfmetrics, registered, {})
    paper.fonts.cache_clear()
    yield
    paper.fonts.cache_clear()


def test_names_of_neighbors_are_printed_and_what_no_font_has_is_replaced() -> None:
    assert paper.drawable("Şahin & Łukasz\nß – „€“", lambda _: "?") == "Şahin &amp; Łukasz<br/>ß – „€“"
    assert paper.drawable("漢 a", lambda one: f"[{ord(one):X}]") == "[6F22] a"


def test_the_same_story_is_the_same_file_with_its_number_on_each_page() -> None:
    def made() -> bytes:
        style = ParagraphStyle("text", fontName=paper.REGULAR, fontSize=40, leading=60)
        paper.fonts()
        return paper.pages([Paragraph("Şahin " * 200, style)], title="Data", foot="Data of today")

    content = made()
    assert content == made()
    reader = PdfReader(io.BytesIO(content))
    texts = [page.extract_text() for page in reader.pages]
    assert len(texts) > 1
    assert all("Data of today" in text and str(number) in text for number, text in enumerate(texts, 1))
    assert "Şahin" in texts[0]


def test_a_font_of_ones_own_is_taken_with_the_bold_one_beside_it(settings, tmp_path: Path) -> None:
    folder = Path(reportlab.__file__).parent / "fonts"
    (tmp_path / "Mine-Regular.ttf").write_bytes((folder / "VeraIt.ttf").read_bytes())
    (tmp_path / "Mine-Bold.ttf").write_bytes((folder / "VeraBI.ttf").read_bytes())
    settings.PDF_FONT = str(tmp_path / "Mine-Regular.ttf")
    paper.fonts()
    names = [paper.pdfmetrics.getFont(key).face.name for key in (paper.REGULAR, paper.BOLD)]
    assert names == [b"BitstreamVeraSans-Oblique", b"BitstreamVeraSans-BoldOblique"]


@pytest.mark.parametrize("content", [None, b"no font"])
def test_a_font_that_cannot_be_read_is_told(settings, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.ttf"
    if content is not None:
        path.write_bytes(content)
    settings.PDF_FONT = str(path)
    with pytest.raises(paper.FontError, match=r"broken\.ttf"):
        paper.fonts()
