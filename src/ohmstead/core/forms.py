"""Forms with files in them (multipart/form-data), read as they come: a file is never held whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from ohmstead.core.errors import Invalid

MOST_HEADERS = 16 * 1024
MOST_PARTS = 20


class FirstFile:
    """The first file of a form. After `pieces` began, `name` is what the sender called it.

    Parts without a file name are fields; one that fills more than `MOST_HEADERS` is refused.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """Raises Invalid when it is not such a form."""
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not 0 < len(boundary) <= 200:
            raise Invalid("not a form with a file", "body")
        self._boundary = boundary
        self._body = body
        self.name = ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file's bytes. Raises Invalid for a form that breaks its rules, or has no file."""
        is_file = is_done = False
        n_field = 0
        try:
            with PushMultipartParser(
                self._boundary, max_header_size=MOST_HEADERS, max_segment_count=MOST_PARTS
            ) as parser:
                async for block in self._body:
                    for event in parser.parse(block):
                        if isinstance(event, MultipartSegment):
                            is_file = not is_done and event.filename is not None
                            n_field = 0
                            if is_file:
                                self.name = event.filename or ""
                        elif event is None:
                            is_done = is_done or is_file
                            is_file = False
                        elif is_file:
                            yield bytes(event)
                        else:
                            n_field += len(event)
                            if n_field > MOST_HEADERS:
                                raise Invalid("a field, or a second file, of this size is not taken", "body")
        except MultipartError as error:
            raise Invalid(f"the form is damaged: {error}", "body") from error
        if not is_done:
            raise Invalid("the form holds no file, or not all of it", "body")


def is_form(content_type: str) -> bool:
    """Does a body of this type hold a form with files?"""
    return content_type.strip().lower().startswith("multipart/")
