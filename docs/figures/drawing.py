"""A few shapes in SVG: bars, tables of tokens, trees. Colours suit light and dark pages."""

from __future__ import annotations

from html import escape

INK, FAINT, CHOSEN, OTHER, REFUSED = "#7a7f87", "#9aa0a844", "#4c6fff", "#4c6fff44", "#e0565b"
_FONT = "font-family='ui-monospace,Menlo,Consolas,monospace' font-size='12'"


class Drawing:
    """Shapes one after the other, on a canvas as large as they are."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.width = self.height = 0.0

    def text(
        self, x: float, y: float, words: str, *, fill: str = INK, anchor: str = "start"
    ) -> None:
        words = words.replace("\n", "⏎").replace(" ", "·") if words != words.strip() else words
        place = f"x='{x:.1f}' y='{y:.1f}' fill='{fill}' text-anchor='{anchor}'"
        self.parts.append(f"<text {place}>{escape(words)}</text>")
        self._grow(x + (8 * len(words) if anchor == "start" else 8), y + 8)

    def box(self, x: float, y: float, width: float, height: float, *, fill: str) -> None:
        """fill: #rrggbb, or #rrggbbaa with its opacity"""
        opacity = int(fill[7:] or "ff", 16) / 255
        self.parts.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{height:.1f}' "
            f"rx='2' fill='{fill[:7]}' fill-opacity='{opacity:.2f}'/>"
        )
        self._grow(x + width, y + height)

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = INK) -> None:
        middle = (x1 + x2) / 2
        curve = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        self.parts.append(f"<path d='{curve}' stroke='{stroke}' fill='none' stroke-width='1.5'/>")

    def _grow(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self, title: str) -> str:
        size = f"viewBox='0 0 {self.width + 8:.0f} {self.height + 4:.0f}'"
        body = "\n".join(self.parts)
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' {size} width='{self.width + 8:.0f}' {_FONT} "
            f"role='img'><title>{escape(title)}</title>\n{body}\n</svg>\n"
        )


def bars(
    drawing: Drawing,
    x: float,
    title: str,
    rows: list[tuple[str, float]],
    chosen: set[int],
    *,
    scale: float = 0,
    refused: set[int] = frozenset(),  # type: ignore[assignment]
    note: str = "{:.2f}",
) -> None:
    """A column of labelled bars. rows: (label, value); chosen, refused: which are coloured so"""
    largest = scale or max(abs(value) for _, value in rows) or 1
    drawing.text(x, 14, title)
    for i, (label, value) in enumerate(rows):
        y = 24 + 20 * i
        fill = CHOSEN if i in chosen else REFUSED if i in refused else OTHER
        drawing.text(x + 62, y + 12, label, anchor="end")
        drawing.box(x + 68, y + 1, max(2, 90 * max(value, 0) / largest), 14, fill=fill)
        drawing.text(x + 74 + 90 * max(value, 0) / largest, y + 12, note.format(value))


def strip(
    drawing: Drawing, y: float, cells: list[tuple[str, str]], *, label: str = "", x: float = 0
) -> None:
    """A row of tokens in boxes. cells: (text, colour)"""
    if label:
        drawing.text(x, y + 15, label)
        x += 130
    for text, colour in cells:
        shown = text.replace("\n", "⏎").replace(" ", "·")
        width = 10 + 7.5 * len(shown)
        drawing.box(x, y, width, 21, fill=colour)
        drawing.parts.append(
            f"<text x='{x + 5:.1f}' y='{y + 15:.1f}' fill='{INK}'>{escape(shown)}</text>"
        )
        x += width + 4
