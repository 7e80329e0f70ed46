"""Signed data in the file that transparency software reads: the XML of S.A.F.E.'s Transparenzsoftware. Pure.

Each `value` has the signed text as it was signed and the public key. The begin and the end of a session are paired by
`transactionId` and `context`; what lies between is for itself, since the software wants one of each in a pair.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from ohmstead.sessions.signed import alfen
from ohmstead.sessions.signed.checking import BEGIN, ENDS
from ohmstead.sessions.signed.model import SignedReading
from ohmstead.sessions.signed.records import alfen_of, judge, text_of

MEDIA_TYPE = "application/xml"
_CALLED = {"EDL40": "EDL"}
# What no XML can hold; no such text was ever genuine.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml(readings: Sequence[SignedReading]) -> bytes:
    """All readings of a session, in order, each with its key."""
    marks = [_marks(one) for one in readings]
    is_whole = [BEGIN in found and bool(ENDS.intersection(found)) for found in marks]
    begins = [n for n, found in enumerate(marks) if BEGIN in found and not is_whole[n]]
    ends = [n for n, found in enumerate(marks) if ENDS.intersection(found) and not is_whole[n]]
    begin, end = begins[0] if begins else None, ends[-1] if ends else None
    values = []
    for n, one in enumerate(readings):
        pair = ""
        if begin is not None and end is not None and n in (begin, end):
            pair = f' transactionId="1" context="Transaction.{"Begin" if n == begin else "End"}"'
        values.append(f"  <value{pair}>\n{_key(one)}{_data(one)}  </value>\n")
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<values>\n' + "".join(values) + "</values>\n").encode()


def _marks(reading: SignedReading) -> set[str]:
    record = judge(reading.raw, reading.encoding, None).record
    return {one.mark for one in record.shown} if record is not None else set()


def _key(reading: SignedReading) -> str:
    if reading.public_key is None:
        return ""
    if reading.format == alfen.NAME and (key := alfen.text_of_key(reading.public_key)) is not None:
        return f'    <publicKey encoding="base32">{key}</publicKey>\n'
    return f'    <publicKey encoding="hex">{escape(reading.public_key)}</publicKey>\n'


def _data(reading: SignedReading) -> str:
    for name, text in (("OCMF", text_of(reading.raw)), (alfen.NAME, alfen_of(reading.raw))):
        if text is not None and not _UNWRITABLE.search(text):
            return f'    <signedData format="{name}" encoding="plain">{_exact(text)}</signedData>\n'
    name = escape(_CALLED.get(reading.format, reading.format), {'"': "&quot;"})
    data = base64.b64encode(reading.raw).decode()
    return f'    <signedData format="{name}" encoding="base64">{data}</signedData>\n'


def _exact(text: str) -> str:
    """Ends of lines would be read as others than they are."""
    return escape(text, {"\r": "&#13;"})
