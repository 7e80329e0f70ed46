"""Currencies that tariffs may have: ISO 4217, those that people pay with."""

from __future__ import annotations

_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD
IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF
YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
# In which a kWh costs less than one unit or a few of them: there a price of thousands is a mistake.
_STRONG = frozenset(
    [
        "AUD",
        "BAM",
        "BGN",
        "BHD",
        "BND",
        "BRL",
        "CAD",
        "CHF",
        "EUR",
        "GBP",
        "GEL",
        "GIP",
        "ILS",
        "JOD",
        "KWD",
        "KYD",
        "LYD",
        "MYR",
        "NZD",
        "OMR",
        "PEN",
        "PLN",
        "QAR",
        "RON",
        "SAR",
        "SGD",
        "TND",
        "USD",
    ]
)


def is_strong(currency: str) -> bool:
    """Is a unit of it worth about a kWh, or more?"""
    return currency in _STRONG
