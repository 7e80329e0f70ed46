"""What stands in the audit log, in words: pages say an action's name with spaces, `station.created` as "station created"."""

from __future__ import annotations

import re

from ohmstead.core.language import N_, _

ACTIONS = (
    N_("api key created"),
    N_("api key renamed"),
    N_("api key revoked"),
    N_("approval approved"),
    N_("approval asked"),
    N_("approval expired"),
    N_("approval rejected"),
    N_("approval withdrawn"),
    N_("bulk command cancelled"),
    N_("bulk command created"),
    N_("certificate revoked"),
    N_("certificate root added"),
    N_("codes removed"),
    N_("codes set up"),
    N_("command cancelled"),
    N_("firmware created"),
    N_("firmware ordered"),
    N_("firmware retired"),
    N_("firmware stored"),
    N_("group created"),
    N_("group deleted"),
    N_("group members changed"),
    N_("group role changed"),
    N_("location changed"),
    N_("location created"),
    N_("location deleted"),
    N_("membership given"),
    N_("membership withdrawn"),
    N_("operator changed"),
    N_("operator created"),
    N_("operator disabled"),
    N_("operator enabled"),
    N_("operator invited"),
    N_("operator locations changed"),
    N_("operator proved"),
    N_("operator provisioned"),
    N_("operator reset"),
    N_("operator role changed"),
    N_("operator signed in"),
    N_("operator switched"),
    N_("party changed"),
    N_("party created"),
    N_("party local lists"),
    N_("party second person"),
    N_("passkey added"),
    N_("passkey removed"),
    N_("password removed"),
    N_("password set"),
    N_("provider linked"),
    N_("recovery code used"),
    N_("recovery codes made"),
    N_("reservation changed"),
    N_("reservation made"),
    N_("reservation cancelled"),
    N_("reservation group changed"),
    N_("rollout cancelled"),
    N_("rollout created"),
    N_("rollout finished"),
    N_("rollout halted"),
    N_("rollout paused"),
    N_("rollout running"),
    N_("safe limit changed"),
    N_("safe limit created"),
    N_("safe limit deleted"),
    N_("sign in link created"),
    N_("station adopted"),
    N_("station changed"),
    N_("station configured"),
    N_("station created"),
    N_("station local list"),
    N_("station local list sent"),
    N_("station onboarding"),
    N_("station profile upgrade started"),
    N_("station reconcile"),
    N_("station rejected"),
    N_("station renew password"),
    N_("station retired"),
    N_("station secret changed"),
    N_("template changed"),
    N_("template created"),
    N_("template deleted"),
    N_("token blocked"),
    N_("token changed"),
    N_("token created"),
    N_("token deleted"),
    N_("token unblocked"),
    N_("web session revoked"),
    N_("web sessions ended"),
    N_("webhook changed"),
    N_("webhook created"),
    N_("webhook deleted"),
    N_("webhook disabled"),
    N_("webhook replayed"),
    N_("webhook secret rotated"),
)

# What the chain's check finds (accounts/audit/chain.py): its words, and the patterns of its sentences.
FAULTS = (N_("altered"), N_("deleted"), N_("inserted"), N_("reordered"), N_("unlinked"), N_("anchor"))
FAULT_TEXTS = (
    N_("entry %(entry)s was written past the chain"),
    N_("entry %(entry)s is not what it was when it was written"),
    N_("entry %(entry)s has another hash than the one that was noted"),
    N_("entries after the end that was noted"),
    N_("the last entry is not the one that was noted as the end"),
    N_("there is no entry %(entry)s, whose hash was noted"),
    N_("what stood before entry %(entry)s is gone, or entry %(entry)s was put there"),
    N_("entry %(entry)s (id %(id)s) belongs after entry %(place)s"),
    N_("entry %(first)s is put in after entry %(place)s"),
    N_("entries %(first)s to %(last)s are put in after entry %(place)s"),
    N_("entry %(first)s is missing"),
    N_("entries %(first)s to %(last)s are missing"),
)


def fault_text(text: str) -> str:
    """What is wrong with the chain, in the language of this task."""
    numbers = re.findall(r"\d+", text)
    for pattern in FAULT_TEXTS:
        slots = re.findall(r"%\((\w+)\)s", pattern)
        values = dict(zip(slots, numbers, strict=False))
        if len(slots) == len(numbers) and (pattern % values if values else pattern) == text:
            return _(pattern, **values)
    return text
