"""Which car comes, how empty, for how long."""

from datetime import datetime
from random import Random

from ohmstead.simulator.car import Car, pick_model
from ohmstead.simulator.orders import RemoteOrder
from ohmstead.simulator.plan import EvsePlan, Visit


def car_for(evse: EvsePlan, random: Random, stay_s: float, *, speed: float = 1.0, fill: float = 1.0) -> Car:
    """A car that fits the outlet and the stay. A faster world makes it ask for less energy, at its true power.

    `fill` scales how much it needs: below 1 for people who only top up.
    """
    model = pick_model(random)
    while evse.is_dc and model.dc_power_w < 50_000:
        model = pick_model(random)
    target_soc = random.choice((0.8, 0.8, 0.85, 0.9)) if evse.is_dc else random.choice((0.8, 0.9, 1.0, 1.0))
    need = random.betavariate(2.2, 2.6) * fill
    energy_wh = need * model.battery_wh
    power_w = min(evse.max_power_w, model.dc_power_w if evse.is_dc else model.ac_power_w)
    # Nobody waits much longer than the stay he planned: what cannot flow in it is not asked for.
    energy_wh = min(energy_wh, 1.1 * power_w * stay_s / 3600)
    return Car.needing(model, max(300.0, energy_wh) / speed, target_soc, is_dc=evse.is_dc)


def remote_visit(evse: EvsePlan, random: Random, at: datetime, order: RemoteOrder, speed: float) -> Visit:
    """Somebody who starts from his telephone: plugs in within seconds."""
    stay_s = random.uniform(900, 2700) if evse.is_dc else random.uniform(3600, 14_400)
    return Visit(
        arrives_at=at,
        stay_s=stay_s,
        car=car_for(evse, random, stay_s, speed=speed),
        token=order.token,
        is_card_first=True,
        is_remote=True,
        remote_start_id=order.remote_start_id,
    )
