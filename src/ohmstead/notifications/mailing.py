"""The page around a mail's text, and what stands below it. Pure."""

from __future__ import annotations

from markupsafe import escape

from ohmstead.core.language import _, speaking
from ohmstead.notifications.rendering import Rendered

# Mail programs know no style sheets from elsewhere.
_STYLE = (
    "body{margin:0;background:#f4f5f6;color:#15191d;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{max-width:34rem;margin:0 auto;padding:24px;background:#fff}h1{font-size:20px;line-height:1.3;margin:0 0 16px}"
    "p{margin:0 0 16px}a{color:#0b5cad}a.button{display:inline-block;padding:10px 18px;border-radius:6px;background:#0b5cad;"
    "color:#fff;text-decoration:none}footer{max-width:34rem;margin:0 auto;padding:16px 24px;color:#5b646d;font-size:13px}"
)


def page_of(rendered: Rendered, network: str, language: str, unsubscribe_url: str | None) -> str:
    """The HTML part of a mail."""
    with speaking(language):
        sender = escape(_("Sent by %(network)s.", network=network))
        below = f"<p>{sender}</p>"
        if unsubscribe_url is not None:
            below += f'<p><a href="{escape(unsubscribe_url)}">{escape(_("No more of these mails"))}</a></p>'
    return (
        f'<!doctype html>\n<html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(rendered.subject)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(rendered.subject)}</h1>\n{rendered.html}\n</main>\n"
        f"<footer>{below}</footer></body></html>\n"
    )


def text_of(rendered: Rendered, network: str, language: str, unsubscribe_url: str | None) -> str:
    """The text part of a mail."""
    with speaking(language):
        lines = [_("Sent by %(network)s.", network=network)]
        if unsubscribe_url is not None:
            lines.append(f"{_('No more of these mails')}: {unsubscribe_url}")
    return rendered.text + "\n-- \n" + "\n".join(lines) + "\n"
