"""Pictures as people send them."""

import io

from PIL import Image


def a_png(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (width, height), (10, 95, 89, 255)).save(out, "PNG")
    return out.getvalue()


def a_jpeg_that_tells_where() -> bytes:
    """Lying on its side, with the place in its EXIF data."""
    picture = Image.new("RGB", (2400, 1200), (10, 95, 89))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90°
    exif[0x010E] = "taken at a secret place"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()
