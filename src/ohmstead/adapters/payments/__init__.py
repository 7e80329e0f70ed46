"""Payment providers: which of them this installation has, by its settings."""

from __future__ import annotations

from ohmstead.adapters.payments.sandbox.adapter import SandboxProvider
from ohmstead.billing.payments.ports import PaymentProvider, Providers
from ohmstead.core.db import Pool
from ohmstead.settings import Settings


def sandbox_of(settings: Settings, pool: Pool) -> SandboxProvider | None:
    """The one with which no money moves, where it is switched on."""
    if not settings.sandbox_payments:
        return None
    return SandboxProvider(pool, settings.secret(), settings.console_url)


def providers_of(settings: Settings, pool: Pool, sandbox: SandboxProvider | None = None) -> Providers:
    """Real ones first."""
    sandbox = sandbox or sandbox_of(settings, pool)
    found: list[PaymentProvider] = []
    if settings.stripe_secret_key is not None and settings.stripe_webhook_secret is not None:
        # The library takes long to load: only where it is used.
        from ohmstead.adapters.payments.stripe.adapter import StripeProvider

        found.append(
            StripeProvider(settings.stripe_secret_key, settings.stripe_webhook_secret, settings.stripe_api_base)
        )
    if sandbox is not None:
        found.append(sandbox)
    return Providers(*found)
