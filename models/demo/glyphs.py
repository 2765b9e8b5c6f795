"""Pictures of emoji, from the bitmaps in Noto Color Emoji as Debian's `fonts-noto-color-emoji` installs it."""

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
STRIKE = 109  # the one size of the bitmaps in the font, in pixels per em; they are 136 × 128 pixels
GLYPH = (136, 128)


@cache
def _font() -> ImageFont.FreeTypeFont:
    if not features.check("fribidi"):
        raise RuntimeError("Pillow cannot join emoji sequences without FriBiDi; apt install libfribidi0")
    return ImageFont.truetype(str(FONT), STRIKE, layout_engine=ImageFont.Layout.RAQM)


def draw_glyph(text: str) -> Image.Image | None:
    """One emoji on a transparent square, RGBA; None where the font has no single picture of it."""
    font = _font()
    left, top, right, bottom = font.getbbox(text)
    if (right - left) > GLYPH[0] or right <= left or bottom <= top:
        return None
    side = GLYPH[0]
    image = Image.new("RGBA", (side, side))
    at = ((side - (right - left)) // 2 - left, (side - (bottom - top)) // 2 - top)
    ImageDraw.Draw(image).text(at, text, font=font, embedded_color=True)
    return image


def draw_small(text: str, side: int) -> Image.Image:
    """One emoji on a transparent square of `side` pixels, RGBA."""
    image = draw_glyph(text)
    if image is None:
        raise ValueError(f"{FONT} has no single picture of {text!r}")
    return image.resize((side, side), Image.Resampling.LANCZOS)
