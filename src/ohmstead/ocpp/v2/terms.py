"""OCPP 2.x: what drivers and stations are told of the terms of a session, and what stations tell of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ohmstead.ocpp import rpc
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.drivers import content
from ohmstead.ocpp.v2.profiles import WAYS
from ohmstead.ocpp.v2.tariffs import tariff
from ohmstead.ocpp.work import Answers, Inbound, instant, instant_text
from ohmstead.sessions.notices.model import StationCost
from ohmstead.sessions.terms import Terms
from ohmstead.stations.orders import SessionLimit
from ohmstead.tokens.model import Authorization, AuthorizationStatus

_AUTHORIZATION: dict[AuthorizationStatus, m.AuthorizationStatusEnumType] = {
    "accepted": "Accepted",
    "blocked": "Blocked",
    "expired": "Expired",
    "unknown": "Unknown",
    "concurrent": "ConcurrentTx",
    "not_at_this_location": "NotAtThisLocation",
    "not_at_this_time": "NotAtThisTime",
    "no_credit": "NoCredit",
}


def id_token_info(authorization: Authorization, terms: Terms | None, answers: Answers) -> m.IdTokenInfoType:
    """The answer about a token. What is left on a prepaid card is told to the driver, and the answer to it is not to be
    kept: it is another one after every session (C17).
    """
    group = authorization.group_uid
    info = m.IdTokenInfoType(
        status=_AUTHORIZATION[authorization.status],
        group_id_token=m.IdTokenType(id_token=group[:36], type="Central") if group else None,
        cache_expiry_date_time=instant_text(authorization.valid_until) if authorization.valid_until else None,
        language1=authorization.language,
    )
    if terms is not None and terms.credit is not None:
        left = terms.credit.rounded()
        info.personal_message = m.MessageContentType(format="UTF8", content=f"{left.amount} {left.currency}")
        info.cache_expiry_date_time = instant_text(answers.at)
    return info


def authorized(answers: Answers, version: Version) -> m.AuthorizeResponse:
    """The answer to Authorize; a driver's own tariff goes with it to stations that can reckon (I08)."""
    assert answers.authorization is not None
    terms = answers.terms
    is_tariff_told = version is Version.V21 and terms is not None and answers.authorization.is_accepted
    may_discharge = version is Version.V21 and answers.authorization.is_accepted and answers.authorization.may_discharge
    return m.AuthorizeResponse(
        id_token_info=id_token_info(answers.authorization, terms, answers),
        # Left out, it means that cars only charge (Q01).
        allowed_energy_transfer=list(WAYS.values()) if may_discharge else None,
        tariff=tariff(terms.tariff, content) if is_tariff_told and terms is not None and terms.tariff else None,
    )


def transaction_answer(answers: Answers) -> m.TransactionEventResponse:
    """The answer to a transaction's event: the token's, the cost so far, and where the session ends."""
    outcome = answers.session
    authorization = outcome.authorization if outcome else None
    terms = outcome.terms if outcome else None
    return m.TransactionEventResponse(
        id_token_info=id_token_info(authorization, terms, answers) if authorization else None,
        total_cost=answers.cost.total.rounded().amount if answers.cost else None,
        transaction_limit=_limit_type(outcome.limit) if outcome and outcome.limit else None,
    )


def limit_of(told: m.TransactionLimitType | None) -> SessionLimit | None:
    """A limit as a station tells it."""
    if told is None:
        return None
    return SessionLimit(
        max_cost=told.max_cost, max_energy_wh=told.max_energy, max_time_s=told.max_time, max_soc_percent=told.max_so_c
    )


def _limit_type(limit: SessionLimit) -> m.TransactionLimitType:
    return m.TransactionLimitType(
        max_cost=limit.max_cost,
        max_energy=limit.max_energy_wh,
        max_time=limit.max_time_s,
        max_so_c=limit.max_soc_percent,
    )


def station_cost(message: m.TransactionEventRequest, inbound: Inbound) -> tuple[StationCost, ...]:
    """What the station reckons that the session costs, if it says so (I12). Its words are kept whole."""
    told = message.cost_details
    if told is None:
        return ()
    total = told.total_cost.total
    with_tax = total.incl_tax if total.incl_tax is not None else total.excl_tax
    details: dict[str, Any] = msgspec.json.decode(rpc.to_json(told))
    return (
        StationCost(
            station_id=inbound.station.station_id,
            party_id=inbound.station.party_id,
            transaction_id=message.transaction_info.transaction_id,
            seq_no=message.seq_no,
            at=instant(message.timestamp),
            currency=told.total_cost.currency,
            total=with_tax if with_tax is not None else Decimal(0),
            details=details,
            failure=(told.failure_reason or "not told") if told.failure_to_calculate else None,
        ),
    )
