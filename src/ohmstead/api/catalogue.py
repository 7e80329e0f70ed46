"""The catalogue of problems: what each type and each code means to whoever gets it, and what to do about it."""

from typing import Final

from msgspec import Struct


class Entry(Struct, frozen=True):
    """What a type of problem means, and the remedy."""

    meaning: str
    remedy: str


PROBLEMS: Final[dict[str, Entry]] = {
    "bad-request": Entry(
        "The request cannot be read: the body is not JSON, a query parameter is unknown, given twice or out of its range, a"
        " path holds what no id is, or a cursor is not one of ours.",
        "Correct what `errors` names. The same request will be refused again.",
    ),
    "not-signed-in": Entry(
        "No key and no session came with the request, or one that is wrong, revoked or past its end.",
        "Send `Authorization: Bearer ohm_…` with a key that is good; `GET /me` tells whether it is.",
    ),
    "not-allowed": Entry(
        "Who asks is known, and may not do this: the key lacks the scope that `detail` names, it is the whole party's"
        " and the person sees some locations only, or a browser's request lacks the page's token.",
        "Use a key with that scope, or have somebody with the right make one. In a browser, load the page again.",
    ),
    "proof-needed": Entry(
        "A browser's person has shown no proof of late that it is them, and this can do harm or deletes something. Keys never"
        " get this.",
        "Prove it in the console, by passkey, password or code, and send it again; or send it with a key.",
    ),
    "not-found": Entry(
        "There is nothing under this id or path, or it belongs to another party.",
        "Look the id up in the list it comes from. What is gone stays gone: do not try again.",
    ),
    "method-not-allowed": Entry(
        "The path exists, but not with this method.", "Use one of the methods that the header `Allow` names."
    ),
    "conflict": Entry(
        "The thing exists already, is in a state in which this cannot be done, or is being worked on by another request.",
        "Read it anew and decide again; `code` says more. With `in_progress`, wait a moment and send the same request again.",
    ),
    "refused": Entry(
        "The request is understood and a rule of the business forbids it.",
        "`detail` says which rule. Change what it names first; the same request will be refused again.",
    ),
    "second-person-needed": Entry(
        "The party wants two people for this. It is written down under `approval_id`, and nothing is done until somebody else"
        " agrees in the console.",
        "Do not send it again. Ask somebody with the right to agree.",
    ),
    "station-offline": Entry(
        "The station is not connected, so nothing was sent to it.",
        "Try again when it is back (`GET /stations/{id}`), or send an order with `queue_for`, which waits for it.",
    ),
    "stale": Entry(
        "It was changed by somebody else after you read it. Nothing was done.",
        "Read it again, apply your change to what is there now, and send it with the new ETag.",
    ),
    "too-large": Entry(
        "The body is larger than this operation takes. Nothing was done.",
        "Send it in parts: a table as several tables, for instance.",
    ),
    "unsupported-media-type": Entry(
        "The body is of a kind that this operation does not read.", "Send the `Content-Type` that the operation names."
    ),
    "invalid": Entry(
        "The body is well formed, and does not fit: a field is missing, unknown, of the wrong type or out of its range, or"
        " fields do not fit each other. Nothing was done.",
        "Correct the fields in `errors`. The same request will be refused again.",
    ),
    "too-many-attempts": Entry(
        "Too many bad credentials came from this address.",
        "Wait for as many seconds as `Retry-After` says, then send a good key.",
    ),
    "internal": Entry(
        "We failed. Whether something was done is not known.",
        "Look before you repeat it, or repeat it with its Idempotency-Key. `X-Request-Id` finds the cause in the log.",
    ),
    "station-error": Entry(
        "The station answered with a CALLERROR; `code` is its code.",
        "Look at the exchange in the station's messages. Most often it does not know the message, or not this form of it.",
    ),
    "external-failure": Entry(
        "Something outside that is needed for this did not do its part: a certificate authority, a register, a storage.",
        "`detail` names it. Try again later; if it goes on, look there.",
    ),
    "unavailable": Entry(
        "Not possible just now: the database cannot be reached, or too many clients listen. Nothing was done.",
        "Try again in a few seconds, later and later. `/readyz` tells what is wrong.",
    ),
    "station-timeout": Entry(
        "The station did not answer in time, or the connection ended. It may have obeyed all the same.",
        "Look at the command under `command_id`: a late answer is recorded there. Then decide whether to repeat it.",
    ),
}

CODES: Final[dict[str, str]] = {
    "being_paid": "Somebody else is paying for the outlet; it is free again when they are done, or in ten minutes.",
    "billed": "The session has a CDR that stands; credit that one.",
    "busy": "Another change of the same thing is on its way to a station.",
    "closed": "The month is closed, and stays so; what corrects it is booked in one that is open.",
    "contract_overlaps": "A place has one contract with a host on a day; let the other one end first.",
    "credited": "It was credited; the credit and what was made instead are named in it.",
    "driver_blocked": "The token's driver is blocked or was erased; unblock the driver, or give the token to somebody else.",
    "ended": "It has ended, or ends already; make a new one.",
    "erased": "The driver was erased; nothing of them can be changed or comes back.",
    "free": "A plug is free there now; go and take it.",
    "has_tariff": "The session keeps the tariff that it began with.",
    "in_progress": "The first request with this Idempotency-Key is still being worked on.",
    "invoiced": "The CDR stands on another document; a credit of the CDR makes a credit note about that.",
    "in_use": "A car charges there, or the driver charges or has an outlet reserved; do it when that is over.",
    "key_reused": "This key was used for something else: another request, or another entry of the ledger.",
    "known": "The same money was taken in already; a reference tells two payments alike apart.",
    "no_credit": "There is not so much in the wallet that is free.",
    "no_driver": "Nobody holds this token; give it to a driver first.",
    "no_payment": "No payment is left that the money could go back to.",
    "not_offered": "The plan is closed, or its time has not come or is over.",
    "no_price": "No tariff applies there, so nobody can pay; assign one.",
    "no_provider": "No payment provider is set up; see docs/payments.md.",
    "offline": "The station is not connected.",
    "other_currency": "A series of prices stays in its currency; write another series.",
    "over": "It has ended, so it cannot be changed any more.",
    "paid_elsewhere": "This payment has started another session.",
    "run_open": "Documents of this kind are being made; look at the run, and ask again when it is done.",
    "seller_incomplete": "Law wants more on invoices than is set; `GET /invoice-seller` names it under `missing`.",
    "pinned": "Readings there are checked with this key already.",
    "stopped": "It was stopped already.",
    "taken": "The name, the identity or the time is in use already.",
    "used": "It can be used once, and was.",
    "used_up": "All of them are redeemed.",
}
"""Values of `code` that we choose ourselves. `station-error` has OCPP's own error codes there, /web-payments the reason for
which a code that was scanned is not good."""
