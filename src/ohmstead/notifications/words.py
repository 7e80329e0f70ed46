"""The words that come along: subject and text of every kind, as templates. English; other languages by gettext. Pure."""

from __future__ import annotations

from typing import Final

from ohmstead.core.language import N_

WORDS: Final[dict[str, tuple[str, str]]] = {
    "charging_started": (
        N_("Charging at {{ location }}"),
        N_(
            "Your session at {{ plug }} began at {{ started_at }}.{% if soc %} Your car is at {{ soc }}.{% endif %}\n\n"
            "[Follow it live]({{ link }})"
        ),
    ),
    "time_to_full": (
        N_("Full between {{ earliest_at }} and {{ latest_at }}"),
        N_(
            "Your car at {{ plug }} is at {{ soc }}. At the present power it will be full between {{ earliest_at }} and"
            " {{ latest_at }}.\n\n[Follow it live]({{ link }})"
        ),
    ),
    "nearly_full": (
        N_("Nearly full: {{ soc }}"),
        N_(
            "Your car at {{ plug }} is at {{ soc }}{% if earliest_at %} and will be full between {{ earliest_at }} and"
            " {{ latest_at }}{% endif %}.\n\n[Follow it live]({{ link }})"
        ),
    ),
    "fully_charged": (
        N_("Fully charged: {{ energy }}"),
        N_(
            "Your car at {{ plug }} takes no more energy since {{ at }}. It got **{{ energy }}**{% if total %} for"
            " {{ total }} so far{% endif %}.\n\nPlease move it, so that others can charge.\n\n[Open the session]({{ link }})"
        ),
    ),
    "idle_fee": (
        N_("An idle fee begins at {{ at }}"),
        N_(
            "Your car at {{ plug }} has finished charging. From {{ at }} on it costs {{ fee }} a minute to leave it there."
            "\n\n[Open the session]({{ link }})"
        ),
    ),
    "charging_complete": (
        N_("Charging complete: {{ energy }}"),
        N_(
            "Your session at {{ plug }}, {{ location }}, is over.\n\n"
            "Energy: **{{ energy }}**\nTime: {{ started_at }} to {{ ended_at }} ({{ duration }})"
            "{% if total %}\nPrice with taxes: **{{ total }}**{% endif %}\n\n[See the details]({{ link }})"
        ),
    ),
    "stopped_early": (
        N_("Your car no longer charges"),
        N_(
            "Charging at {{ plug }} stopped at {{ ended_at }}: {{ reason }}. Your car got **{{ energy }}**.\n\n"
            "[See what you can do]({{ link }})"
        ),
    ),
    "price_limit": (
        N_("Your session has come to {{ total }}"),
        N_(
            "Your session at {{ plug }} stands at **{{ total }}** for {{ energy }}. At {{ limit }}, the limit that you set, it"
            " ends by itself.\n\n[Open the session]({{ link }})"
        ),
    ),
    "card_used": (
        N_("Your card {{ card }} was used at {{ location }}"),
        N_(
            "A session began with your card {{ card }} at {{ plug }}, {{ location }}, at {{ at }}. It was used there for the"
            " first time.\n\nWas this not you? Block the card at once.\n\n[Block the card]({{ block_link }})"
        ),
    ),
    "plug_free": (
        N_("A plug is free: {{ plug }}"),
        N_("{{ plug }} at {{ location }} is free now. It is not reserved for you.\n\n[Show the way]({{ link }})"),
    ),
    "station_out": (
        N_("{{ station }} is out of service"),
        N_(
            "{{ station }} at {{ location }} has been out of service since {{ at }}: {{ reason }}. We tell you when it works"
            " again.\n\n[Find another one]({{ link }})"
        ),
    ),
    "station_back": (
        N_("{{ station }} works again"),
        N_("{{ station }} at {{ location }} works again since {{ at }}.\n\n[Open it]({{ link }})"),
    ),
    "cover_ending": (
        N_("Nearly used up: what pays for your session"),
        N_(
            "{% if total %}Your session at {{ plug }} stands at {{ total }}. {% endif %}It ends by itself at {{ limit }},"
            " which is what you have for it.\n\n[Top up or pay another way]({{ link }})"
        ),
    ),
    "cover_ran_out": (
        N_("Your session ends: what paid for it is used up"),
        N_("Your session at {{ plug }} came to {{ limit }} and is being ended.\n\n[See the details]({{ link }})"),
    ),
    "payment_held": (
        N_("{{ amount }} is held"),
        N_(
            "We hold {{ amount }} on your card for charging{% if location %} at {{ location }}{% endif %}. You pay only what"
            " the session costs; the rest is released.\n\n[See the details]({{ link }})"
        ),
    ),
    "payment_captured": (
        N_("You paid {{ amount }}"),
        N_(
            "{{ amount }} was paid{% if location %} for charging at {{ location }}{% endif %}.\n\n[See the details]({{ link }})"
        ),
    ),
    "payment_failed": (
        N_("A payment of {{ amount }} failed"),
        N_(
            "{{ amount }} could not be paid{% if location %} for charging at {{ location }}{% endif %}"
            "{% if reason %}: {{ reason }}{% endif %}.\n\n[Pay another way]({{ link }})"
        ),
    ),
    "payment_refunded": (
        N_("You get {{ amount }} back"),
        N_(
            "We sent {{ amount }} back the way you paid{% if reason %}: {{ reason }}{% endif %}. Your bank may take some days."
            "\n\n[See the details]({{ link }})"
        ),
    ),
    "debt_opened": (
        N_("{{ amount }} is unpaid"),
        N_("{{ amount }} is unpaid. Until it is, your cards do not start new sessions.\n\n[Pay now]({{ link }})"),
    ),
    "payment_asked": (
        N_("{{ network }} asks for {{ amount }}"),
        N_(
            "{{ network }} asks you to pay {{ amount }}{% if reason %}: {{ reason }}{% endif %}. Whoever has the address can"
            " pay, within a day.\n\n[Pay now]({{ link }})"
        ),
    ),
    "debt_settled": (
        N_("Thank you: {{ amount }} is paid"),
        N_("{{ amount }} is paid, and your cards start sessions again.\n\n[See the details]({{ link }})"),
    ),
    "receipt_issued": (
        N_("Receipt {{ number }}: {{ amount }}"),
        N_(
            "Here is your receipt {{ number }}{% if location %} for charging at {{ location }}{% endif %}.\n\n"
            "{% if energy %}Energy: **{{ energy }}**\n{% endif %}"
            "{% if ended_at %}Time: {{ started_at }} to {{ ended_at }} ({{ duration }})\n{% endif %}"
            "Total with taxes: **{{ amount }}**\n\n[Open the receipt]({{ link }})"
        ),
    ),
    "invoice_issued": (
        N_("Invoice {{ number }}: {{ amount }}"),
        N_("Here is your invoice {{ number }} of {{ day }} for **{{ amount }}**.\n\n[Open the invoice]({{ link }})"),
    ),
    "invoice_reminder": (
        N_("Reminder: invoice {{ number }}"),
        N_(
            "Invoice {{ number }} was due on {{ day }}, and **{{ amount }}** of it is open. You may have paid it already:"
            " then we thank you.\n\n[Open the invoice]({{ link }})"
        ),
    ),
    "invoice_reminder_again": (
        N_("Second reminder: invoice {{ number }}"),
        N_(
            "Invoice {{ number }} was due on {{ day }}. **{{ amount }}** of it is still open: please pay it in the next days."
            "\n\n[Open the invoice]({{ link }})"
        ),
    ),
    "invoice_reminder_final": (
        N_("Last reminder: invoice {{ number }}"),
        N_(
            "Invoice {{ number }} was due on {{ day }}, and we have reminded you of it. **{{ amount }}** of it is still open:"
            " please pay it now. This is the last reminder.\n\n[Open the invoice]({{ link }})"
        ),
    ),
    "credit_issued": (
        N_("Credit note {{ number }}: {{ amount }}"),
        N_(
            "Here is your credit note {{ number }} of {{ day }} for **{{ amount }}**.\n\n[Open the credit note]({{ link }})"
        ),
    ),
    "wallet_low": (
        N_("Your wallet is nearly empty: {{ balance }}"),
        N_("There is {{ balance }} left in your wallet.\n\n[Top it up]({{ link }})"),
    ),
    "wallet_topped_up": (
        N_("{{ amount }} is in your wallet"),
        N_("Your wallet was topped up by {{ amount }}.\n\n[Open the wallet]({{ link }})"),
    ),
    "plan_started": (
        N_("Your plan {{ plan }} began"),
        N_(
            "You have the plan {{ plan }}{% if day %} since {{ day }}{% endif %}{% if amount %}, for {{ amount }} a month"
            "{% endif %}.\n\n[See your plans]({{ link }})"
        ),
    ),
    "plan_ended": (
        N_("Your plan {{ plan }} ended"),
        N_(
            "Your plan {{ plan }} ended{% if day %} on {{ day }}{% endif %}. You can go on charging at the usual prices.\n\n"
            "[See your plans]({{ link }})"
        ),
    ),
    "sign_in_code": (
        N_("{{ code }} is your code"),
        N_(
            "Your code to sign in at {{ network }}: **{{ code }}**{% if minutes %}\n\nIt is good for {{ minutes }}.{% endif %}"
            " Give it to nobody. Did you not ask for it? Then do nothing."
        ),
    ),
    "phone_code": (
        N_("{{ code }} is your code"),
        N_(
            "{{ code }} confirms your number at {{ network }}.{% if minutes %} It is good for {{ minutes }}.{% endif %} Did you"
            " not ask for it? Then do nothing, and give it to nobody."
        ),
    ),
    "email_confirmation": (
        N_("Please confirm your e-mail address"),
        N_(
            "{% if code %}Your code: **{{ code }}**\n\n{% endif %}{% if link %}[Confirm the address]({{ link }})\n\n{% endif %}"
            "Did you not ask for it? Then do nothing."
        ),
    ),
    "operator_station_out": (
        N_("{{ station }} is out of service"),
        N_(
            "{{ station }}{% if location %} at {{ location }}{% endif %} has been out of service since {{ at }}: {{ reason }}."
            "\n\n[Open the station]({{ link }})"
        ),
    ),
    "operator_station_back": (
        N_("{{ station }} is back in service"),
        N_(
            "{{ station }}{% if location %} at {{ location }}{% endif %} works again since {{ at }}.\n\n"
            "[Open the station]({{ link }})"
        ),
    ),
    "operator_difference": (
        N_("Payments and books differ: {{ count }} new"),
        N_(
            "Providers' statements, the books and the CDRs were compared, and {{ count }} of what does not agree was not"
            " known before.\n\n[See what differs]({{ link }})"
        ),
    ),
    "operator_dispute": (
        N_("A payment of {{ amount }} is disputed"),
        N_(
            "The payer's bank disputes {{ amount }}{% if reason %}: {{ reason }}{% endif %}. There is a date by which to"
            " answer.\n\n[Open the payment]({{ link }})"
        ),
    ),
}
