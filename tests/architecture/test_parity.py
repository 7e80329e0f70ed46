"""Everything that the console can do is in the REST API. The check is shown something that is missing, too."""

from pathlib import Path

from tests.architecture import parity

_OWN = "a person's own way in, name and messages: a program has its key"
EXEMPT = {
    "accounts.people.service.change_self": _OWN,
    "accounts.service.end_sessions": _OWN,
    "accounts.service.sign_out": _OWN,
    "accounts.signin.service.add_passkey": _OWN,
    "accounts.signin.service.begin_codes": _OWN,
    "accounts.signin.service.confirm_codes": _OWN,
    "accounts.signin.service.remake_recovery_codes": _OWN,
    "accounts.signin.service.remove_codes": _OWN,
    "accounts.signin.service.remove_passkey": _OWN,
    "accounts.signin.service.remove_password": _OWN,
    "accounts.signin.service.rename_passkey": _OWN,
    "accounts.signin.service.set_password": _OWN,
    "notifications.service.set_operator_kinds": _OWN,
    "accounts.parties.service.switch": "a browser works for one party at a time; a key belongs to one",
    "accounts.approvals.service.reject": "a key is nobody's second person",
    "stations.bulk.second.approve": "a key is nobody's second person",
    "accounts.people.service.set_second_person": "`PATCH /party` sets it among the party's other settings",
    "sessions.pricing.service.reckon": "a preview beside a form; all that it keeps is which tariff held, as the worker does",
}


def test_what_the_console_does_the_api_does_too() -> None:
    found = parity.gaps()
    assert {deed: sorted(handlers) for deed, handlers in sorted(found.items()) if deed not in EXEMPT} == {}
    assert sorted(set(EXEMPT) - set(found)) == [], "these need no excuse any more"


def test_what_wants_a_fresh_proof_in_the_console_wants_one_in_the_api() -> None:
    assert {deed: sorted(handlers) for deed, handlers in sorted(parity.unproved().items())} == {}


def test_a_deed_that_the_api_does_without_a_proof_is_found(tmp_path: Path) -> None:
    package = tmp_path / "house"
    files = {
        "sales/store.py": "async def put(conn):\n    await conn.execute('insert into sale values (1)')\n",
        "sales/service.py": "from house.sales import store\n"
        + "".join(f"async def {deed}(conn):\n    await store.put(conn)\n" for deed in ("sell", "give", "drop", "ask")),
        "console/sales.py": "from house.sales import service\n"
        "PROVED: dict = {'needs_proof': True}\n"
        "@post('/sales', opt=PROVED)\nasync def sell(conn):\n    await service.sell(conn)\n"
        "@post('/gifts', opt={'needs_proof': True})\nasync def give(conn):\n    await service.give(conn)\n"
        "@post('/drops', opt={'needs_proof': True})\nasync def drop(conn):\n    await service.drop(conn)\n"
        "@post('/asked', opt={'needs_proof': True})\nasync def ask(conn):\n    await service.ask(conn)\n"
        "@post('/asking')\nasync def also_ask(conn):\n    await service.ask(conn)\n",
        "api/sales.py": "from house.sales import service\n"
        "@post('/sales', opt=operation('x') | {'needs_proof': True})\n"
        "async def sell(conn):\n    await service.sell(conn)\n"
        "@post('/gifts', opt=operation('x'))\nasync def give(conn):\n    await service.give(conn)\n"
        "@delete('/drops')\nasync def drop(conn):\n    await service.drop(conn)\n"
        "@post('/asked')\nasync def ask(conn):\n    await service.ask(conn)\n",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    assert parity.unproved(package) == {"sales.service.give": {"sales.give"}}


def test_a_deed_that_the_api_lacks_is_found_and_a_reading_is_none(tmp_path: Path) -> None:
    package = tmp_path / "house"
    files = {
        "sales/store.py": "async def put(conn):\n    await conn.execute('insert into sale values (1)')\n"
        "async def get(conn):\n    await conn.fetch('select 1 from sale')\n",
        "sales/service.py": "from house.sales import store\n"
        "async def sell(conn):\n    await store.put(conn)\n"
        "async def give(conn):\n    await sell(conn)\n"
        "async def look(conn):\n    await store.get(conn)\n"
        "find = store.get\n",
        "console/sales.py": "from house.console.forms import deed_of\nfrom house.sales import service\n"
        "@post('/sales')\nasync def sell(conn):\n    await service.sell(conn)\n    await service.find(conn)\n"
        "@post('/gifts')\nasync def give(conn):\n    await deed_of(conn)\n"
        "@get('/sales')\nasync def shown(conn):\n    await service.give(conn)\n",
        "console/forms.py": "from house.sales.service import give, look\n"
        "async def deed_of(conn):\n    async def deed():\n        await give(conn)\n    await look(conn)\n",
        "api/sales.py": "from house.sales import service\n"
        "@post('/sales')\nasync def sell(conn):\n    await service.sell(conn)\n",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    assert parity.gaps(package) == {"sales.service.give": {"sales.give"}}
