"""Every example of tests/prices/*.txt comes out as it is written there, in whatever pieces it is priced."""

from decimal import Decimal

import pytest

from ohmstead.tariffs.pricing import Meter, break_down, plan_of, price
from ohmstead.tariffs.pricing.reckoning import total_of
from tests.prices.reading import Example, examples, total_written, written

EXAMPLES = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_price_is_as_written(example: Example) -> None:
    cost = price(plan_of(example.tariff, example.zone), example.stretches, example.who, example.market)
    assert [written(line) for line in cost.lines] == example.lines
    assert total_written(cost) == example.total
    listed = sum((line.amount for line in cost.lines), Decimal(0))
    assert listed == (cost.total if cost.includes_taxes else cost.before_taxes)
    assert cost.before_taxes + sum((tax.amount for tax in cost.taxes), Decimal(0)) == cost.total


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_tally_that_was_kept_after_every_stretch_comes_to_the_same(example: Example) -> None:
    from ohmstead.tariffs.pricing import as_json, from_json

    plan = plan_of(example.tariff, example.zone)
    meter = Meter.begin(plan, example.stretches[0].started_at, example.market)
    for stretch in example.stretches:
        meter.add(stretch)
        meter = Meter(plan, from_json(as_json(meter.tally)), example.market)
    cost = break_down(plan, meter.tally, example.who)
    assert [written(line) for line in cost.lines] == example.lines
    assert (cost.before_taxes, cost.total) == total_of(plan, meter.tally, example.who)


def test_there_are_as_many_examples_as_were_promised() -> None:
    names = [example.name for example in EXAMPLES]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("ocpi") for name in names) >= 20
    assert sum(name.startswith("sessions") for name in names) >= 30
