"""The form of VAT numbers."""

import pytest

from ohmstead.sessions.notices.vat import parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("DE123456789", ("DE", "123456789")),
        ("de 123 456 789", ("DE", "123456789")),
        ("ATU12345678", ("AT", "U12345678")),
        ("NL123456789B01", ("NL", "123456789B01")),
        ("GR123456789", ("EL", "123456789")),
        ("FR-XX.123456789", ("FR", "XX123456789")),
        ("GB123456789", ("GB", "123456789")),
        ("DE12345678", None),
        ("ZZ123456789", None),
        ("123456789", None),
        ("", None),
        ("DE123456789\n; drop table", None),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, parsed: tuple[str, str] | None) -> None:
    assert parse(text) == parsed
