"""What meters signed: read, checked with the meter's key, and held against the session."""

import base64
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from ohmstead.sessions.signed import checking, container, records
from ohmstead.sessions.signed.model import SignedReading
from ohmstead.sessions.signed.records import Judged

# The example of S.A.F.E.'s description of its XML: one record with begin and end, and its key.
KEBA = (
    'OCMF|{"FV":"1.0","GI":"KEBA_KCP30","GS":"17619300","GV":"2.8.5","PG":"T32","IS":false,"IL":"NONE","IF":["RFID_NONE",'
    '"OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"NONE","ID":"","RD":[{"TM":"2019-08-13T10:03:15,000+0000 I","TX":"B",'
    '"EF":"","ST":"G","RV":0.2596,"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"2019-08-13T10:03:36,000+0000 R","TX":"E","EF":"",'
    '"ST":"G","RV":0.2597,"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"304502200E2F107C987A300AC1695CA89EA149A8CDFA16188AF0A33EE6'
    '4B67964AA943F9022100889A72B6D65364BEA8562E7F6A0253157ACFF84FE4929A93B5964D23C4265699"}'
)
KEBA_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D030107034200043AEEB45C392357820A58FDFB0857BD77ADA31585C61C430531DFA53B440AFB"
    "FDD95AC887C658EA55260F808F55CA948DF235C2108A0D6DC7D4AB1A5E1A7955BE"
)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class SigningMeter:
    """A meter with a key of its own, made here."""

    def __init__(self, curve: Any = None, serial: str = "METER-1") -> None:
        self._curve = curve or ec.SECP256R1()
        self._key = ec.generate_private_key(self._curve)
        self.serial = serial
        self.page = 0

    @property
    def key(self) -> str:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()

    def signs(self, mark: str, kwh: str, after_min: int = 0, **more: Any) -> bytes:
        """`more`: other fields of the payload (serial, page) and of the reading."""
        self.page += 1
        at = AT + timedelta(minutes=after_min)
        reading = {
            "TM": f"{at:%Y-%m-%dT%H:%M:%S},000+0000 {more.pop('clock', 'S')}",
            "TX": mark,
            "RV": "@",
            "RI": "1-b:1.8.0",
            "RU": "kWh",
            "RT": "AC",
            "EF": "",
            "ST": "G",
        }
        payload = {
            "FV": "1.0",
            "GS": self.serial,
            "PG": f"T{self.page}",
            "MS": self.serial,
            "IS": True,
            "IF": [],
            "IT": "NONE",
            "ID": "",
        }
        for name, value in more.items():
            (reading if name in reading else payload)[name] = value
        text = json.dumps({**payload, "RD": [reading]}).replace('"@"', kwh)
        signature = self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())).hex()
        method = f"ECDSA-{self._curve.name}-SHA256"
        return f'OCMF|{text}|{{"SA":"{method}","SD":"{signature}"}}'.encode()


def judged(meter: SigningMeter, *texts: bytes) -> list[Judged]:
    return [records.judge(text, None, meter.key) for text in texts]


def proof(meter: SigningMeter, *texts: bytes, wh: int = 5000) -> checking.Proof:
    return checking.prove(judged(meter, *texts), Decimal(wh))


def test_the_public_example_is_genuine_and_a_changed_digit_is_not() -> None:
    found = records.judge(KEBA.encode(), None, records.key_of(KEBA_KEY))
    assert (found.format, found.verdict, found.why) == ("OCMF", "verified", "")
    assert found.record is not None
    assert [(one.mark, one.register_wh, one.resolution_wh) for one in found.record.shown] == [
        ("B", Decimal("259.6"), Decimal("0.1")),
        ("E", Decimal("259.7"), Decimal("0.1")),
    ]
    forged = records.judge(KEBA.replace("0.2597", "0.2697").encode(), None, records.key_of(KEBA_KEY))
    assert (forged.verdict, forged.why) == ("failed", "the signature is not the meter's")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP192R1(), ec.SECP384R1()], ids=lambda c: c.name)
def test_readings_of_a_meter_prove_the_energy(curve: Any) -> None:
    meter = SigningMeter(curve)
    found = proof(meter, meter.signs("B", "100.00"), meter.signs("E", "105.00", 60))
    assert (found.verdict, found.reasons, found.energy_wh) == ("verified", [], Decimal(5000))


@pytest.mark.parametrize(
    "carried",
    [
        lambda text: text,
        lambda text: text + b"\r\n ",
        lambda text: text.hex().encode(),
        base64.b64encode,
        lambda text: json.dumps(
            {"encodingMethod": "OCMF", "signedMeterData": base64.b64encode(text).decode()}
        ).encode(),
    ],
    ids=["plain", "with an end of line", "hexadecimal", "base64", "as the 1.6 note has it"],
)
def test_it_does_not_matter_how_it_travelled(carried: Any) -> None:
    meter = SigningMeter()
    raw = carried(meter.signs("B", "1.0"))
    assert records.judge(raw, "OCMF", meter.key).verdict == "verified"


def test_keys_come_in_many_dresses() -> None:
    meter = SigningMeter()
    der = bytes.fromhex(meter.key)
    pem = "-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der).decode() + "-----END PUBLIC KEY-----\n"
    oca = f"oca:base16:asn1:{meter.key}"
    for told in (
        meter.key,
        meter.key.upper(),
        base64.b64encode(der).decode(),
        pem,
        oca,
        base64.b64encode(oca.encode()).decode(),
        base64.b64encode(meter.key.encode()).decode(),
    ):
        assert records.key_of(told) == meter.key
    for wrong in (None, "", "cHVibGlj", "00", "x" * 5000, KEBA_KEY[:-2]):
        assert records.key_of(wrong) is None


CASES: list[tuple[str, Any]] = [
    ("no signed reading begins it", lambda m: [m.signs("C", "100.0"), m.signs("E", "105.0", 60)]),
    ("no signed reading ends it", lambda m: [m.signs("B", "100.0"), m.signs("C", "105.0", 60)]),
    ("its readings are of several meters", lambda m: [m.signs("B", "100.0"), m.signs("E", "105.0", 60, MS="METER-2")]),
    ("its readings are of several registers", lambda m: [m.signs("B", "100.0"), m.signs("E", "105.0", 60, RI="1-b:2.8.0")]),
    ("its page numbers do not rise", lambda m: [m.signs("B", "100.0", PG="T9"), m.signs("E", "105.0", 60, PG="T8")]),
    ("pages between its readings are missing", lambda m: [m.signs("B", "100.0", PG="T1"), m.signs("C", "102.0", 30, PG="T2"),
                                                          m.signs("E", "105.0", 60, PG="T4")]),
    ("a reading has no page number", lambda m: [m.signs("B", "100.0", PG="F1"), m.signs("E", "105.0", 60)]),
    ("the meter was not in order", lambda m: [m.signs("B", "100.0"), m.signs("E", "105.0", 60, ST="M")]),
    ("the meter reports an error", lambda m: [m.signs("B", "100.0"), m.signs("E", "105.0", 60, EF="E")]),
    ("the meter's clock was not set", lambda m: [m.signs("B", "100.0", clock="U"), m.signs("E", "105.0", 60)]),
    ("its register runs backwards", lambda m: [m.signs("B", "100.0"), m.signs("C", "106.0", 30), m.signs("E", "105.0", 60)]),
    ("the signed registers differ by another energy than the session's",
     lambda m: [m.signs("B", "100.0"), m.signs("E", "105.3", 60)]),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "readings"), CASES, ids=[reason for reason, _ in CASES])
def test_what_does_not_hold_is_said(reason: str, readings: Any) -> None:
    meter = SigningMeter()
    found = proof(meter, *readings(meter))
    assert (found.verdict, found.reasons) == ("failed", [reason])


@pytest.mark.parametrize(
    ("kwh", "is_proved"), [("105.00", True), ("105.02", True), ("105.03", False), ("104.97", False)]
)
def test_registers_agree_within_what_their_last_digits_stand_for(kwh: str, is_proved: bool) -> None:
    """0.01 kWh at both ends, and one Wh of the register that the station tells."""
    meter = SigningMeter()
    found = proof(meter, meter.signs("B", "100.00"), meter.signs("E", kwh, 60))
    assert (found.verdict == "verified") is is_proved


def test_the_order_of_arrival_and_repeats_do_not_matter() -> None:
    meter = SigningMeter()
    begin, middle, end = meter.signs("B", "100.0"), meter.signs("C", "102.0", 30), meter.signs("R", "105.0", 60)
    assert proof(meter, end, begin, middle, begin, end).verdict == "verified"


def test_another_meters_key_proves_nothing_and_no_key_says_so() -> None:
    meter, other = SigningMeter(), SigningMeter()
    text = meter.signs("B", "1.0")
    assert records.judge(text, None, other.key).verdict == "failed"
    assert records.judge(text, None, SigningMeter(ec.SECP384R1()).key).verdict == "failed"
    assert records.judge(text, None, None).verdict == "no_key"
    found = checking.prove(
        [records.judge(one, None, None) for one in (meter.signs("B", "1.0"), meter.signs("E", "6.0", 60))],
        Decimal(5000),
    )
    assert (found.verdict, found.energy_wh) == ("no_key", Decimal(5000))


@pytest.mark.parametrize(
    ("raw", "encoding", "called"),
    [
        (b"1b1b1b1b010101017605", None, "EDL40"),
        (b"anything", "EDL", "EDL40"),
        (b"AP;0;2;ALCV3ABBBISHMA2RYEGAZE3HV5YQBQRAEHAR2MNA;", None, "ALFEN"),
        (b"<signedMeterValue/>", None, "XML"),
        (b"\xff\x00\x80", None, "unknown"),
        (b"x" * 70_000, "OCMF", "OCMF"),
    ],
)  # fmt: skip
def test_other_formats_are_named_and_not_checked(raw: bytes, encoding: str | None, called: str) -> None:
    found = records.judge(raw, encoding, KEBA_KEY)
    assert (found.verdict, found.format) == ("not_checkable", called)
    assert checking.prove([found], Decimal(1)).verdict == "not_checkable"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: b"OCMF|" + t.encode(errors="replace")))
def test_nothing_that_arrives_breaks_it(raw: bytes) -> None:
    assert records.judge(raw, None, records.key_of(KEBA_KEY)).verdict in ("failed", "not_checkable")


@pytest.mark.parametrize(
    "payload",
    [
        "[]",
        "null",
        '{"RD":1}',
        '{"RD":[1]}',
        '{"RD":[{"TM":"x"}]}',
        "[" * 20_000,
        '{"RD":[{"TM":"2026-03-02T09:00:00,000 S","RV":1e999,"RU":"kWh"}]}',
        '{"RD":[{"TM":"2026-03-02T09:00:00,000 S","TX":"B","RV":1,"RU":"kWh","RI":"1-b:1.8.0","ST":"G"}]}',
    ],
)
def test_payloads_that_make_no_sense_fail(payload: str) -> None:
    raw = f'OCMF|{payload}|{{"SD":"3045"}}'.encode()
    found = records.judge(raw, None, records.key_of(KEBA_KEY))
    assert (found.verdict, found.why) == ("failed", "it cannot be read")


@pytest.mark.parametrize(
    "odd",
    [
        {"kwh": "1e200000"},
        {"kwh": "1e-20000"},
        {"kwh": "-1e15"},
        {"kwh": "NaN"},
        {"TM": "0001-01-01T00:00:00,000+1400 S"},
        {"TM": "9999-12-31T23:59:59,000-1200 S"},
    ],
    ids=str,
)
def test_what_no_register_holds_and_no_clock_shows_is_not_read_though_it_is_signed(odd: dict[str, str]) -> None:
    """A database keeps neither, and sessions of others settle in the same statement."""
    meter = SigningMeter()
    found = records.judge(meter.signs("B", odd.pop("kwh", "1.0"), **odd), None, meter.key)
    assert (found.verdict, found.why, found.record) == ("failed", "it cannot be read", None)


def test_a_note_that_is_no_text_is_none() -> None:
    for raw in (b'{"signedMeterData":"\xff"}', b'{"publicKey":"\xff"}', b'{"signedMeterData":"\\ud800"}'):
        assert records.judge(raw, "OCMF", None).verdict == "not_checkable"
        assert records.key_within(raw) is None


# Of the tests of S.A.F.E.'s Transparenzsoftware, and of the description of Alfen's format by Chargy.
ALFEN = (
    "AP;0;3;AMVBBEIORR2RGJLJ6YRZUGACQAXSDFCL66EIP3N7;BJKGK43UIRSXMAAROYYDCMZNUYFACRC2I4ADGAABIAAAAAAAQ6ACMAD5CH4FWAIAAEEAB7"
    "Y6ACJD2AAAAAAAAABRAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASAAAAAEIAAAAA====;IGRCBV3TL45XIGPJU7QGD3H4V6ICQ75GLPWEFNEKZX3RTTKJI2"
    "FBXHPCWUIWL5OENEHE3SQRVACHG===;"
)
ALFEN_WITH_CARD = (
    "AP;0;3;AJB42AIR7NC5W5MCFWZHMIQD7SSYVIUCHYEJ7Z2E;BIHEIWSHAAA2WZUSOYYDCNWTWAFACRC2I4ADGAEFAYAAAABA6SLUQAB2NSTVYAIAAEEAB7"
    "Y6ACJVQAAAAAAAAABQGQ3UCN2BIJAUKMBVIM4DCAAAAAAAAAATAAAAAIYAAAAA====;X736PV2AD3IVH5LQJ4SPMZLMYNZNGOUBNLF23B7UBYAFOV6KXV"
    "PIMIVZJLKBNLJVSQAN7DJLMTWL2===;"
)


class AlfenMeter:
    """A meter behind Alfen's adapter, with a key of its own, made here."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP192R1())
        self.page = 0

    @property
    def written_key(self) -> str:
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return base64.b32encode(point).decode()

    @property
    def key(self) -> str:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()

    def signs(self, kind: int, wh: int, after_min: int = 0, **more: Any) -> bytes:
        self.page += 1
        at = int((AT + timedelta(minutes=after_min)).timestamp())
        data = struct.pack(
            "<10s4s2s10sIII6sBbq20sII",
            b"ADAPTER",
            b"v016",
            b"\x01\x02",
            more.get("meter", b"METER-1"),
            more.get("status", 0),
            at,
            at,
            bytes.fromhex("0100010800ff"),
            more.get("unit", 0x1E),
            more.get("scale", 0),
            wh,
            b"047A7ABAE05C81",
            more.get("session", 7),
            more.get("page", self.page),
        )
        r, s = utils.decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(24, "big") + s.to_bytes(24, "big")
        fields = ("AP", str(kind), "3", self.written_key, _b32(data), _b32(signature))
        return (";".join(fields) + ";").encode()


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode()


def test_the_public_examples_of_alfens_format_are_genuine_and_a_changed_byte_is_not() -> None:
    for text, wh, page, at in (
        (ALFEN, 15_762, 17, datetime(2018, 11, 23, 14, 41, 1, tzinfo=UTC)),
        (ALFEN_WITH_CARD, 22_675, 35, datetime(2019, 4, 5, 14, 54, 50, tzinfo=UTC)),
    ):
        key = records.key_of(text.split(";")[3])
        assert key is not None
        assert key == records.key_within(text.encode())
        found = records.judge(text.encode(), None, key)
        assert (found.format, found.verdict, found.key) == ("ALFEN", "verified", key)
        assert found.record is not None
        (shown,) = found.record.shown
        assert (shown.register_wh, shown.at, shown.mark, shown.status) == (Decimal(wh), at, "B", "G")
        assert (found.record.page, shown.obis) == (page, "1-0:1.8.0*255")
        fields = text.split(";")
        for place in (4, 5):
            raw = bytearray(base64.b32decode(fields[place]))
            raw[30] ^= 1
            forged = ";".join([*fields[:place], _b32(bytes(raw)), *fields[place + 1 :]])
            assert records.judge(forged.encode(), None, key).verdict == "failed"
        other = records.key_of((ALFEN if text != ALFEN else ALFEN_WITH_CARD).split(";")[3])
        assert records.judge(text.encode(), None, other).verdict == "failed"
        assert records.judge(text.encode(), None, records.key_of(KEBA_KEY)).verdict == "failed"
        assert records.judge(text.encode(), None, None).verdict == "no_key"


def test_alfens_readings_prove_the_energy_of_one_session_of_one_meter() -> None:
    meter = AlfenMeter()

    def proven(*texts: bytes) -> tuple[str, list[str]]:
        found = checking.prove([records.judge(text, None, meter.key) for text in texts], Decimal(5000))
        return found.verdict, found.reasons

    begin = meter.signs(0, 100_000)
    assert proven(begin, meter.signs(2, 102_000, 30), meter.signs(1, 105_000, 60)) == ("verified", [])
    # As scaled: 10,500 tens of Wh.
    assert proven(begin, meter.signs(1, 10_500, 60, scale=1)) == ("verified", [])
    for more, reason in (
        ({"session": 8}, "its readings are of several sessions"),
        ({"meter": b"METER-2"}, "its readings are of several meters"),
        ({"page": 1}, "its page numbers do not rise"),
        ({"status": 1 << 31}, "the meter was not in order"),
        ({"status": 1}, "the meter's clock was not set"),
        ({"after_min": -5}, "its register runs backwards"),
    ):
        verdict, reasons = proven(begin, meter.signs(1, 105_000, **{"after_min": 60, **more}))
        assert verdict == "failed"
        assert reason in reasons, more
    assert "energy" in str(proven(begin, meter.signs(1, 106_000, 60)))


def test_alfens_lines_that_make_no_sense_fail() -> None:
    meter = AlfenMeter()
    good = meter.signs(0, 1000).decode()
    fields = good.split(";")
    for bad in (
        "AP;0;3",
        "AP;0;3;;;;",
        good.replace("AP;0", "AP;7"),
        ";".join([*fields[:3], "A" * 40, *fields[4:]]),
        ";".join([*fields[:4], "B" * 8, *fields[5:]]),
        ";".join([*fields[:5], "€", ""]),
        good + good,
        meter.signs(0, 1000, unit=0x1B).decode(),
        meter.signs(0, 1000, scale=127).decode(),
        meter.signs(0, -(2**63)).decode(),
    ):
        found = records.judge(bad.encode(), None, meter.key)
        assert (found.verdict, found.why) == ("failed", "it cannot be read"), bad


def test_alfens_lines_are_in_the_file_as_they_were_signed() -> None:
    meter = AlfenMeter()
    texts = [meter.signs(0, 1000), meter.signs(1, 6000, 60)]
    carried = [texts[0].hex().encode(), texts[1]]
    rows = [replace(one, format="ALFEN", public_key=meter.key) for one in readings(SigningMeter(), carried)]
    values = etree.fromstring(container.as_xml(rows)).findall("value")
    assert [v.findtext("signedData") for v in values] == [text.decode() for text in texts]
    assert [v.get("context") for v in values] == ["Transaction.Begin", "Transaction.End"]
    assert {v.find("signedData").get("format") for v in values} == {"ALFEN"}
    keys = {(v.findtext("publicKey"), v.find("publicKey").get("encoding")) for v in values}
    assert keys == {(meter.written_key, "base32")}


def test_what_no_xml_can_hold_is_in_the_file_as_bytes() -> None:
    (one,) = readings(SigningMeter(), [b"OCMF|{}\x01|{}"])
    (value,) = etree.fromstring(container.as_xml([one])).findall("value")
    assert base64.b64decode(value.findtext("signedData") or "") == one.raw


def readings(meter: SigningMeter, texts: Sequence[bytes]) -> list[SignedReading]:
    return [
        SignedReading(
            signed_reading_id="00", format="OCMF", raw=text, encoding=None, signing_method=None, public_key=meter.key,
            verdict="verified", why="", reading_wh=None, at=AT, context="", measurand="",
        )
        for text in texts
    ]  # fmt: skip


def test_the_file_for_transparency_software_has_every_byte_that_was_signed() -> None:
    meter = SigningMeter(serial='<&"ü')
    texts = [meter.signs("B", "100.00"), meter.signs("C", "102.00", 30), meter.signs("E", "105.00", 60)]
    root = etree.fromstring(container.as_xml(readings(meter, texts)))
    values = root.findall("value")
    assert [(v.get("transactionId"), v.get("context")) for v in values] == [
        ("1", "Transaction.Begin"),
        (None, None),
        ("1", "Transaction.End"),
    ]
    assert [v.findtext("signedData") for v in values] == [text.decode() for text in texts]
    assert {(v.findtext("publicKey"), v.find("publicKey").get("encoding")) for v in values} == {(meter.key, "hex")}
    assert records.judge((values[0].findtext("signedData") or "").encode(), None, meter.key).verdict == "verified"


def test_one_record_of_a_whole_session_stands_for_itself(tmp_path: Any) -> None:
    """As another reader of the format sees it."""
    from pyocmf import OcmfContainer

    one = readings(SigningMeter(), [KEBA.encode()])[0]
    (tmp_path / "signed.xml").write_bytes(
        container.as_xml(
            [one.__class__(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "public_key": KEBA_KEY.lower()})]
        )
    )
    (record,) = OcmfContainer.from_xml(tmp_path / "signed.xml").entries
    assert record.verify_signature()
