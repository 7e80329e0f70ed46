"""What security signals mean, as a person would say it. Pure."""

from __future__ import annotations

from typing import Final

from ohmstead.core.language import N_

# Why the door stayed shut (ocpp.security, ocpp.limits, ocpp.trust, ocpp.door).
REASONS: Final = {
    "certificate_expired": N_("its certificate is over"),
    "certificate_malformed": N_("its certificate cannot be read"),
    "certificate_missing": N_("it showed no client certificate"),
    "certificate_nameless": N_("its certificate names nobody"),
    "certificate_not_yet_valid": N_("its certificate is not good yet"),
    "certificate_of_another": N_("its certificate belongs to another station"),
    "certificate_of_another_organization": N_("its certificate belongs to another organisation"),
    "certificate_revocation_unknown": N_("whether its certificate was revoked cannot be found out"),
    "certificate_revoked": N_("its certificate was revoked"),
    "certificate_unknown": N_("we did not make its certificate"),
    "certificate_untrusted": N_("nobody whom we trust signed its certificate"),
    "client_certificate_malformed": N_("its certificate cannot be read"),
    "client_certificate_ambiguous": N_("the proxy passed several certificates on"),
    "credentials_malformed": N_("its credentials cannot be read"),
    "credentials_missing": N_("it sent no password"),
    "identity_malformed": N_("its id has characters that no id may have"),
    "identity_too_long": N_("its id is too long"),
    "link_too_weak": N_("the connection is less secure than its profile demands"),
    "password_wrong": N_("the password is wrong"),
    "revocation_unknown": N_("whether its certificate was revoked cannot be found out"),
    "station_rejected": N_("the station was rejected"),
    "station_retired": N_("the station was retired"),
    "station_unknown": N_("nobody registered this station"),
    "identity_flapping": N_("two devices use this identity"),
    "too_many_at_once": N_("too many attempts at once"),
    "too_many_attempts": N_("too many attempts in a short time"),
    "too_many_from_address": N_("too many attempts from this address"),
    "too_many_newcomers": N_("too many unknown stations in a short time"),
    "unknown_station": N_("nobody registered this station"),
    "username_differs": N_("the user name is not the station’s id"),
}

# What is a sign of somebody who should not be there; all else is news of a station's ordinary days.
GRAVE: Final = frozenset(
    (
        *("station_attempted_replay_attacks", "station_tamper_detection_activated", "station_security_log_was_cleared"),
        *("station_invalid_firmware_signature", "station_invalid_firmware_signing_certificate"),
        *("station_maintenance_login_failed", "station_invalid_csms_certificate", "station_invalid_messages"),
        *("station_invalid_central_system_certificate", "station_csms_failed_to_authenticate"),
        *("foreign_transaction", "identity_flapping", "firmware_refused", "log_bomb", "file_link_misused"),
        *("meter_key_changed", "pin_locked"),
    )
)

# Signals by kind. Those that begin with `station_` are security events that a station told of itself.
KINDS: Final = {
    "address_refused": N_("An order led to an address where no station may go."),
    "certificate_failed": N_("A certificate could not be made."),
    "certificate_refused": N_("A certificate was refused by its authority."),
    "certificate_rejected": N_("A station did not take its new certificate."),
    "certificate_request_refused": N_("A station asked for a certificate that it may not have."),
    "client_certificate_header_ignored": N_("A certificate came in a header from somebody who is no trusted proxy."),
    "clock_off": N_("A station’s clock is wrong."),
    "connection_refused": N_("A station was turned away."),
    "contract_refused": N_("A car’s contract certificate was refused."),
    "file_link_misused": N_("Somebody used an address for files for what it is not for."),
    "file_link_used_again": N_("Somebody used an address for files a second time."),
    "file_too_large": N_("A file that was too large was refused."),
    "firmware_doubtful": N_("Firmware was taken that no manufacturer vouches for."),
    "firmware_refused": N_("Firmware was refused: it is not what it claims to be."),
    "foreign_transaction": N_("A station spoke of a session of another station."),
    "identity_flapping": N_("Two devices use one identity, and push each other out."),
    "log_bomb": N_("A log that unpacks to far too much was refused."),
    "meter_key_changed": N_("A meter signed with another key than the one that is pinned to its connector."),
    "no_common_version": N_("A station speaks no version of OCPP that we do."),
    "pin_locked": N_("Too many wrong PINs were typed at a station: none is taken there for a while."),
    "pin_wrong": N_("A wrong PIN was typed at a station."),
    "ocsp_not_believed": N_("The word on whether a certificate is good could not be believed."),
    "revocation_unknown": N_("A station was let in though nobody could say whether its certificate was revoked."),
    "station_attempted_replay_attacks": N_("It was sent messages that had been sent before."),
    "station_central_system_failed_to_authenticate": N_("It could not make sure that it speaks with us."),
    "station_csms_failed_to_authenticate": N_("It could not make sure that it speaks with us."),
    "station_failed_to_authenticate_at_central_system": N_("It was not let in here."),
    "station_failed_to_authenticate_at_csms": N_("It was not let in here."),
    "station_firmware_updated": N_("It has new firmware."),
    "station_invalid_central_system_certificate": N_("Our certificate was not good to it."),
    "station_invalid_charge_point_certificate": N_("A certificate that it was sent is not good."),
    "station_invalid_charging_station_certificate": N_("A certificate that it was sent is not good."),
    "station_invalid_csms_certificate": N_("Our certificate was not good to it."),
    "station_invalid_firmware_signature": N_("Firmware that it was sent is not what was signed."),
    "station_invalid_firmware_signing_certificate": N_("Nobody it trusts signed the firmware that it was sent."),
    "station_invalid_messages": N_("It was sent messages that cannot be read."),
    "station_invalid_tls_cipher_suite": N_("We would only speak in a cipher that it does not."),
    "station_invalid_tls_version": N_("We would only speak a version of TLS that it does not."),
    "station_maintenance_login_accepted": N_("Somebody signed in at the station itself."),
    "station_maintenance_login_failed": N_("Somebody tried to sign in at the station itself, and could not."),
    "station_memory_exhaustion": N_("Its memory is full."),
    "station_reconfiguration_of_security_parameters": N_("Its settings for security were changed."),
    "station_reset_or_reboot": N_("It began anew."),
    "station_security_log_was_cleared": N_("Its security log was cleared."),
    "station_setting_system_time": N_("Its clock was set."),
    "station_startup_of_the_device": N_("It was switched on."),
    "station_tamper_detection_activated": N_("Somebody opened it, or tampered with it."),
    "tls_handshake_failed": N_("Somebody could not agree on TLS with us."),
    "web_payment_refused": N_("A payment code was refused."),
}


def meaning_of(kind: str) -> str:
    """A signal in words; of kinds that nobody described, their name."""
    plain = kind.removeprefix("station_").replace("_", " ")
    return KINDS.get(kind) or f"{plain[:1].upper()}{plain[1:]}."


def reason_of(reason: str | None) -> str | None:
    """Why somebody was turned away; of reasons that nobody described, their name."""
    return REASONS.get(reason, reason.replace("_", " ")) if reason else None
