"""Photos as people send them, drawn anew: what comes out is a JPEG of ours, whatever came in. Pure.

So nothing that hides in a file (scripts, a second format, places and serial numbers that a camera wrote) goes on to who
looks at it. What a picture is, its first bytes say; its name is not asked.
"""

from __future__ import annotations

import io
import warnings

from msgspec import Struct
from PIL import Image, ImageOps, UnidentifiedImageError

from ohmstead.core.errors import Invalid

MOST_BYTES = 12 * 1024 * 1024
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 1600
_FORMATS = ("JPEG", "PNG", "WEBP")


class Picture(Struct, frozen=True):
    """A JPEG and its size in pixels."""

    data: bytes
    width: int
    height: int


def redrawn(data: bytes) -> Picture:
    """Upright, at most 1600 pixels wide or high. Raises Invalid, with what is wrong."""
    if not data:
        raise Invalid("the file is empty", "body")
    if len(data) > MOST_BYTES:
        raise Invalid(f"more than {MOST_BYTES // 1024 // 1024} MB are not taken", "body")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Invalid(f"{image.width} × {image.height} pixels are more than can be drawn", "body")
                image.draft("RGB", (LONGEST_SIDE * 2, LONGEST_SIDE * 2))
                upright = ImageOps.exif_transpose(image)
                return _drawn(upright)
    except UnidentifiedImageError as error:
        raise Invalid("not a photo: send JPEG, PNG or WebP", "body") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Invalid("the photo is damaged: it cannot be drawn", "body") from error


def _drawn(image: Image.Image) -> Picture:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    full = image.convert("RGBA")
    ground = Image.new("RGB", full.size, "white")
    ground.paste(full, mask=full.getchannel("A"))
    out = io.BytesIO()
    ground.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return Picture(out.getvalue(), ground.width, ground.height)
