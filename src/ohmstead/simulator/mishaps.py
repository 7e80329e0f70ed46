"""What goes wrong by itself: faults, reboots and spells without a line, as often as the run's switches say."""

import asyncio
from typing import TYPE_CHECKING

from ohmstead.simulator.orders import Fault

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station

_DAY_S = 86_400.0
FAULTS = (
    Fault("GroundFailure", "GroundFault", "residual current detected"),
    Fault("OverCurrentFailure", "OvercurrentFault", "overcurrent on L1"),
    Fault("HighTemperature", "Other", "cabinet above 70 C"),
    Fault("ConnectorLockFailure", "Other", "lock did not close"),
    Fault("EVCommunicationError", "Other", "control pilot lost"),
    Fault("PowerSwitchFailure", "Other", "contactor did not open"),
    Fault("UnderVoltage", "PowerQuality", "supply below 195 V"),
    Fault("OtherError", "EmergencyStop", "emergency stop pressed"),
)


async def faults(station: "Station") -> None:
    """Every now and then an outlet breaks down for a while; one fault in eight is a crash of the controller."""
    random = station.world.random("faults", station.plan.station_id)
    while True:
        await asyncio.sleep(random.expovariate(station.world.options.faults_per_day * station.speed / _DAY_S))
        if random.random() < 0.125:
            station.reboot("Watchdog", is_graceful=False)
            continue
        outlet = random.choice(list(station.outlets.values()))
        if outlet.fault is None:
            outlet.break_down(random.choice(FAULTS))
            lasts_s = random.uniform(120, 3600) / station.speed
            asyncio.get_running_loop().call_later(lasts_s, outlet.recover)


async def offline_spells(station: "Station") -> None:
    """Every now and then the line is gone for minutes; charging goes on, messages queue."""
    random = station.world.random("offline", station.plan.station_id)
    while True:
        await asyncio.sleep(random.expovariate(station.world.options.offline_per_day * station.speed / _DAY_S))
        station.hang_up(random.uniform(30, 1800) / station.speed)
