"""Examples of ways of paying, wallets, plans, coupons, companies and PINs."""

from typing import Any

from ohmstead.api.companies import CompanyMembers
from ohmstead.api.paying import PayingPartners
from ohmstead.api.plans import RedeemedCoupons
from ohmstead.api.wallets import CardTopUp, CreditLimit, RefundOfBalance
from ohmstead.billing.companies.model import (
    Company,
    CompanyChange,
    CompanyMember,
    CompanyMonth,
    NewCompany,
    NewCompanyMember,
)
from ohmstead.billing.paying.model import (
    NewPayingMethod,
    PayingMethod,
    PayingPartner,
    PayingPolicy,
    PayingPolicyChange,
    SessionCover,
)
from ohmstead.billing.plans.model import (
    Coupon,
    CouponCode,
    NewCoupon,
    NewPlan,
    NewSubscription,
    Plan,
    PlanChange,
    PlanCharge,
    RedeemedCoupon,
    Subscription,
)
from ohmstead.billing.wallets.model import AutoTopUp, Wallet, WalletChange, WalletEntry, WalletRefund
from ohmstead.drivers.pins import DriverPin, NewPin

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_DRIVER_ID = "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a"
_TOKEN_ID = "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d"  # noqa: S105
_SESSION_ID = "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"
_COMPANY_ID = "019a9d92-1000-7a10-8b00-2b3c4d5e6f71"
_PLAN_ID = "019a9d91-2000-7a10-8b00-2b3c4d5e6f72"
_SUBSCRIPTION_ID = "019a9d91-1000-7a10-8b00-2b3c4d5e6f71"
_COUPON_ID = "019a9d93-1000-7a10-8b00-2b3c4d5e6f71"
_METHOD_ID = "019a9d94-1000-7a10-8b00-2b3c4d5e6f71"
_PAYMENT_ID = "019a9d91-3000-7a10-8b00-2b3c4d5e6f73"
_AT = "2026-03-02T08:00:00Z"
_OPERATOR = "operator:019a9d5e-7b10-7000-8000-000000000001"

_NEW_COMPANY: dict[str, Any] = {
    "name": "Harbour Logistics",
    "vat_number": "NL123456789B01",
    "address": "Quay 9",
    "postal_code": "3011",
    "city": "Rotterdam",
    "country": "NL",
    "email": "invoices@example.com",
    "reference": "PO 4711",
    "currency": "EUR",
    "payment_days": 30,
    "limit_per_month": 5000.00,
}
_MEMBER: dict[str, Any] = {
    "company_id": _COMPANY_ID,
    "driver_id": _DRIVER_ID,
    "token_id": None,
    "name": "Noor Visser",
    "added_at": _AT,
    "added_by": _OPERATOR,
}
_TAX = {"percentage": 21, "name": "VAT"}
_NEW_PLAN: dict[str, Any] = {
    "name": "Harbour Plus",
    "label": "PLUS",
    "description": "40 kWh each month, and ten percent less for the rest.",
    "currency": "EUR",
    "monthly_fee": 9.90,
    "taxes": [_TAX],
    "tax_included": True,
    "included_kwh": 40,
    "from_on": None,
    "until_on": None,
}
_NEW_COUPON: dict[str, Any] = {
    "code": "SPRING-26",
    "label": "SPRING",
    "most_drivers": 500,
    "sessions_each": 3,
    "valid_from": "2026-03-01T00:00:00Z",
    "valid_until": "2026-06-01T00:00:00Z",
}
_REDEEMED: dict[str, Any] = {
    "coupon_id": _COUPON_ID,
    "code": "SPRING-26",
    "label": "SPRING",
    "redeemed_at": _AT,
    "valid_until": "2026-06-01T00:00:00Z",
    "sessions_left": 3,
}
_PARTNER: dict[str, Any] = {"prefix": "DE8AA", "partner": "DE-8AA", "name": "Blue Motors"}
_AUTO: dict[str, Any] = {"below": 10.00, "amount": 50.00, "method_id": _METHOD_ID}

PAYING_EXAMPLES: dict[Any, Any] = {
    PayingPolicy: {
        "party_id": _PARTY,
        "without_method": "invoice",
        "hold_amount": 20,
        "least_credit": 1,
        "version": 1,
    },
    PayingPolicyChange: {"without_method": "refuse"},
    PayingPartner: _PARTNER,
    PayingPartners: {"items": [_PARTNER]},
    PayingMethod: {
        "kind": "wallet",
        "source": "driver",
        "ref": _DRIVER_ID,
        "name": "",
        "token_id": None,
        "driver_id": _DRIVER_ID,
    },
    NewPayingMethod: {"kind": "company", "company_id": _COMPANY_ID},
    SessionCover: {
        "session_id": _SESSION_ID,
        "party_id": _PARTY,
        "kind": "wallet",
        "ref": _DRIVER_ID,
        "source": "driver",
        "driver_id": _DRIVER_ID,
        "limit_amount": 20.00,
        "currency": "EUR",
        "plans": ["PLUS"],
        "coupons": [],
    },
    DriverPin: {"driver_id": _DRIVER_ID, "token_id": _TOKEN_ID, "is_blocked": False, "set_at": _AT},
    NewPin: {"driver_id": _DRIVER_ID, "token_id": _TOKEN_ID, "pin": "58203917"},
    Wallet: {
        "driver_id": _DRIVER_ID,
        "party_id": _PARTY,
        "currency": "EUR",
        "balance": 50.00,
        "held": 20.00,
        "due": 0.00,
        "available": 30.00,
        "credit_limit": 0,
        "auto_top_up": _AUTO,
        "auto_failed_at": None,
        "version": 2,
        "opened_at": _AT,
    },
    WalletEntry: {
        "entry_id": "019a9d95-1000-7a10-8b00-2b3c4d5e6f71",
        "number": 41,
        "booked_on": "2026-03-02",
        "at": "2026-03-02T09:20:00Z",
        "kind": "wallet_payment",
        "text": f"CDR {_SESSION_ID}",
        "amount": -11.86,
        "currency": "EUR",
        "by": "system",
    },
    WalletChange: {"amount": 5.00, "currency": "EUR", "reason": "The cable was stuck for an hour"},
    WalletRefund: {"amount": 38.14, "currency": "EUR", "payment_ids": [_PAYMENT_ID], "left": 0.00},
    RefundOfBalance: {"reason": "The driver moves away"},
    CreditLimit: {"amount": 10.00},
    AutoTopUp: _AUTO,
    CardTopUp: {"method_id": _METHOD_ID, "amount": 50.00, "currency": "EUR"},
    NewPlan: _NEW_PLAN,
    PlanChange: {"monthly_fee": 10.90},
    Plan: {
        **_NEW_PLAN,
        "plan_id": _PLAN_ID,
        "party_id": _PARTY,
        "status": "offered",
        "n_subscribers": 12,
        "version": 1,
        "created_at": _AT,
        "updated_at": _AT,
    },
    NewSubscription: {"plan_id": _PLAN_ID},
    Subscription: {
        "subscription_id": _SUBSCRIPTION_ID,
        "party_id": _PARTY,
        "plan_id": _PLAN_ID,
        "plan_name": "Harbour Plus",
        "label": "PLUS",
        "driver_id": _DRIVER_ID,
        "started_on": "2026-03-17",
        "ends_on": None,
        "started_at": "2026-03-17T08:00:00Z",
        "ended_at": None,
        "charged_until": "2026-04-01",
        "version": 1,
    },
    PlanCharge: {
        "plan_charge_id": "019a9d91-4000-7a10-8b00-2b3c4d5e6f74",
        "party_id": _PARTY,
        "subscription_id": _SUBSCRIPTION_ID,
        "plan_id": _PLAN_ID,
        "driver_id": _DRIVER_ID,
        "plan_name": "Harbour Plus",
        "from_on": "2026-03-17",
        "until_on": "2026-04-01",
        "currency": "EUR",
        "before_taxes": 3.96,
        "taxes": [{"name": "VAT", "percentage": 21, "base": 3.96, "amount": 0.83}],
        "total": 4.79,
        "included_kwh": 19.355,
        "used_kwh": 12.5,
        "country": "NL",
        "created_at": "2026-03-17T08:00:00Z",
    },
    NewCoupon: _NEW_COUPON,
    Coupon: {
        **_NEW_COUPON,
        "coupon_id": _COUPON_ID,
        "party_id": _PARTY,
        "status": "active",
        "n_redeemed": 31,
        "version": 1,
        "created_at": _AT,
    },
    CouponCode: {"code": "spring-26"},
    RedeemedCoupon: _REDEEMED,
    RedeemedCoupons: {"items": [_REDEEMED]},
    NewCompany: _NEW_COMPANY,
    CompanyChange: {"status": "suspended"},
    Company: {
        **_NEW_COMPANY,
        "company_id": _COMPANY_ID,
        "party_id": _PARTY,
        "status": "active",
        "n_members": 1,
        "version": 1,
        "created_at": _AT,
        "updated_at": _AT,
    },
    NewCompanyMember: {"driver_id": _DRIVER_ID},
    CompanyMember: _MEMBER,
    CompanyMembers: {"items": [_MEMBER]},
    CompanyMonth: {
        "company_id": _COMPANY_ID,
        "month": "2026-03",
        "currency": "EUR",
        "n_sessions": 40,
        "billed": 812.40,
        "held": 20.00,
        "left": 4167.60,
    },
}
