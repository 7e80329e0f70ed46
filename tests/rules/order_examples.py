"""Orders of every kind: the least one that is possible, then others that use all there is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ohmstead.stations import orders as o
from ohmstead.stations.orders import charging, device, drivers, grid

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
HASH = o.CertificateRef(issuer_name_hash="aa", issuer_key_hash="bb", serial_number="01")
MD5 = "0123456789abcdef0123456789abcdef"


def schedule(*limits: float, unit: str = "A", starts_at: datetime | None = NOW, **fields: object) -> o.Schedule:
    """An hour for each limit."""
    periods = tuple(o.Period(start_s=3600 * n, limit=Decimal(str(limit))) for n, limit in enumerate(limits))
    return o.Schedule(rate_unit=unit, periods=periods, starts_at=starts_at, **fields)  # type: ignore[arg-type]


def profile(purpose: str = "session_default", timing: str = "absolute", **fields: object) -> o.ChargingProfile:
    given = {
        "profile_id": 7,
        "stack_level": 1,
        "schedules": (schedule(16, 8.5, 0, starts_at=None if timing == "relative" else NOW),),
    } | fields
    return o.ChargingProfile(purpose=purpose, timing=timing, **given)  # type: ignore[arg-type]


FULL_PERIOD = o.Period(
    start_s=0,
    limit=Decimal("32"),
    limit_l2=Decimal("31.5"),
    discharge_limit=Decimal("-10"),
    setpoint=Decimal("5"),
    setpoint_reactive=Decimal("-1"),
    n_phases=3,
    operation="central_frequency",
    is_preconditioning=True,
    is_evse_asleep=False,
    baseline_w=Decimal("100"),
    power_over_signal=(charging.PowerPoint(at=Decimal("3"), power_w=Decimal("500.5")),),
)
FULL_PROFILE = profile(
    timing="dynamic",
    schedules=(
        o.Schedule(
            rate_unit="W",
            periods=(FULL_PERIOD,),
            schedule_id=3,
            duration_s=900,
            min_rate=Decimal("1.5"),
            limit_at_soc=charging.LimitAtSoc(soc_percent=80, limit=Decimal("3600")),
            power_tolerance_w=Decimal("50"),
            is_local_time=False,
            random_delay_s=30,
        ),
    ),
    valid_from=NOW,
    valid_until=LATER,
    offline_for_s=60,
    is_invalid_after_offline=True,
    update_interval_s=10,
    updated_at=NOW,
)
PRICES = o.Prices(
    prices=(
        drivers.Price(
            price=Decimal("0.45"),
            conditions=drivers.Conditions(
                from_time="07:00",
                until_time="22:00",
                days=("monday", "friday"),
                from_on=date(2026, 1, 1),
                until_on=date(2027, 1, 1),
                current_type="DC",
                min_energy_wh=Decimal("0"),
                max_energy_wh=Decimal("20000"),
                min_time_s=0,
                max_time_s=3600,
            ),
        ),
        drivers.Price(price=Decimal("0.55")),
    ),
    taxes=(drivers.Tax(name="VAT", percent=Decimal("20")),),
)
FIXED = o.Prices(prices=(drivers.Price(price=Decimal("1"), conditions=drivers.Conditions(payment_brand="Card")),))
TARIFF = o.StationTariff(
    tariff_id="T1",
    currency="EUR",
    description=(o.Text(content="Day", language="en"),),
    valid_from=NOW,
    energy=PRICES,
    charging_time=PRICES,
    idle_time=PRICES,
    fixed=FIXED,
    reservation_time=PRICES,
    reservation_fixed=FIXED,
    min_cost=drivers.Bound(without_tax=Decimal("0.5")),
    max_cost=drivers.Bound(with_tax=Decimal("50"), taxes=(drivers.Tax(name="VAT", percent=Decimal("20"), stack=0),)),
)
SMALL_TARIFF = o.StationTariff(
    tariff_id="T1", currency="EUR", energy=o.Prices(prices=(drivers.Price(price=Decimal("0.3")),))
)
CURVE = grid.Curve(
    points=(grid.Point(x=Decimal("49.8"), y=Decimal("100")), grid.Point(x=Decimal("51"), y=Decimal("0"))),
    priority=1,
    y_unit="percent_max_w",
    starts_at=NOW,
    duration_s=Decimal("3600"),
    response_time_s=Decimal("1"),
    hysteresis=grid.Hysteresis(high=Decimal("1"), low=Decimal("1"), delay_s=Decimal("5"), gradient=Decimal("10")),
    reactive_power=grid.ReactivePower(
        reference_percent=Decimal("100"), is_autonomous=True, time_constant_s=Decimal("3")
    ),
    voltage_trip=grid.VoltageTrip(
        mean_percent=Decimal("110"), mean_trip_delay_s=Decimal("600"), power_while_ceased="active"
    ),
)

EXAMPLES: dict[type[o.OrderForm], tuple[o.Order, ...]] = {
    o.RemoteStart: (
        o.RemoteStart(token_uid="TAG1"),
        o.RemoteStart(
            token_uid="TAG1",
            token_type="ISO14443",
            evse_number=1,
            connector_number=1,
            group_uid="GROUP",
            profile=profile("session", "relative"),
            remote_start_id=4711,
        ),
    ),
    o.RemoteStop: (o.RemoteStop(transaction_id="12345"),),
    o.TransactionStatus: (o.TransactionStatus(), o.TransactionStatus(transaction_id="tx")),
    o.SetProfile: (
        o.SetProfile(evse_number=0, profile=profile("station_max")),
        o.SetProfile(evse_number=1, profile=profile("session", "relative", transaction_id="12345")),
        o.SetProfile(evse_number=1, profile=profile(timing="recurring", recurs="daily", valid_until=LATER)),
        o.SetProfile(evse_number=1, profile=FULL_PROFILE),
    ),
    o.ClearProfiles: (
        o.ClearProfiles(),
        o.ClearProfiles(profile_id=7),
        o.ClearProfiles(evse_number=1, purpose="session_default", stack_level=0),
    ),
    o.GetProfiles: (
        o.GetProfiles(),
        o.GetProfiles(evse_number=1, purpose="session", stack_level=2, sources=("CSO", "EMS"), request_id=5),
        o.GetProfiles(profile_ids=(1, 2)),
    ),
    o.CompositeSchedule: (
        o.CompositeSchedule(evse_number=1, duration_s=600),
        o.CompositeSchedule(evse_number=0, duration_s=600, rate_unit="W"),
    ),
    o.UpdateSchedule: (
        o.UpdateSchedule(profile_id=7, limits=o.Limits(limit=Decimal("16"))),
        o.UpdateSchedule(profile_id=7, limits=o.Limits(discharge_limit=Decimal("-5.5"), setpoint_l3=Decimal("1"))),
    ),
    o.UsePriorityCharging: (o.UsePriorityCharging(transaction_id="tx", is_active=True),),
    o.SignalFrequencyReserve: (o.SignalFrequencyReserve(at=NOW, signal=-3),),
    o.AllowEnergyTransfer: (o.AllowEnergyTransfer(transaction_id="tx", ways=("ac_bidirectional", "dc")),),
    o.Reset: (o.Reset(), o.Reset(how="hard"), o.Reset(how="on_idle", evse_number=1), o.Reset(how="resume")),
    o.Unlock: (o.Unlock(evse_number=1),),
    o.SetAvailability: (
        o.SetAvailability(is_operative=False),
        o.SetAvailability(is_operative=True, evse_number=1, connector_number=1),
    ),
    o.Trigger: (
        o.Trigger(message="Heartbeat"),
        o.Trigger(message="LogStatusNotification"),
        o.Trigger(message="SignChargingStationCertificate"),
        o.Trigger(message="MeterValues", evse_number=1),
        o.Trigger(custom="vendor.thing"),
    ),
    o.ClearCache: (o.ClearCache(),),
    o.DataTransfer: (
        o.DataTransfer(vendor_id="com.example", message_id="Any", data={"a": [1, 2.5, None]}),
        o.DataTransfer(vendor_id="org.openchargealliance.costmsg", message_id="RunningCost", data="{}"),
    ),
    o.GetVariables: (
        o.GetVariables(names=("Comp.Var",)),
        o.GetVariables(),
        o.GetVariables(names=("Comp[a]@1.1.Var[b]",), attribute="max"),
    ),
    o.SetVariables: (
        o.SetVariables(values={"Comp.Var": "1"}),
        o.SetVariables(values={"Comp.Var": "1"}, attribute="target"),
    ),
    o.BaseReport: (o.BaseReport(), o.BaseReport(what="summary", request_id=3)),
    o.CustomReport: (
        o.CustomReport(criteria=("problem",)),
        o.CustomReport(names=("Connector@1.1", "EVSE@1.Power"), criteria=("active", "enabled"), request_id=9),
    ),
    o.SetMonitoringBase: (o.SetMonitoringBase(what="factory"),),
    o.SetMonitoringLevel: (o.SetMonitoringLevel(severity=4),),
    o.SetMonitors: (
        o.SetMonitors(monitors=(o.Monitor(name="EVSE@1.Power", type="above", value=Decimal("22000")),)),
        o.SetMonitors(
            monitors=(
                o.Monitor(
                    name="EVSE@1.Power",
                    type="periodic",
                    value=Decimal("60"),
                    severity=8,
                    monitor_id=12,
                    is_in_session_only=True,
                    stream=o.Stream(interval_s=10, n_values=4),
                ),
            )
        ),
    ),
    o.ClearMonitors: (o.ClearMonitors(monitor_ids=(1, 2)),),
    o.MonitoringReport: (
        o.MonitoringReport(),
        o.MonitoringReport(names=("EVSE@1",), criteria=("threshold", "periodic"), request_id=2),
    ),
    o.AdjustEventStream: (o.AdjustEventStream(stream_id=1, stream=o.Stream(interval_s=5)),),
    o.GetEventStreams: (o.GetEventStreams(),),
    o.SetNetworkProfile: (
        o.SetNetworkProfile(slot=1, url="wss://csms.example/ocpp", security_profile=2),
        o.SetNetworkProfile(
            slot=1,
            url="wss://csms.example/ocpp",
            security_profile=3,
            interface="any",
            ocpp_version="2.1",
            identity="ST-1",
            password="0123456789abcdef",
            mobile=device.MobileAccess(apn="internet", user="u", password="p", sim_pin=1234, is_preferred_only=True),
            vpn=device.PrivateNetwork(server="vpn.example", user="u", password="p", key="k", type="IKEv2"),
        ),
    ),
    o.GetLog: (
        o.GetLog(url="https://files.example/up"),
        o.GetLog(log="security", url="https://files.example/up", since=NOW, until=LATER, retries=2, retry_after_s=60),
        o.GetLog(log="data_collector", url="https://files.example/up"),
    ),
    o.GetDiagnostics: (
        o.GetDiagnostics(url="ftp://files.example/up"),
        o.GetDiagnostics(url="ftp://files.example/up", since=NOW, until=LATER, retries=2, retry_after_s=60),
    ),
    o.UpdateFirmware: (
        o.UpdateFirmware(url="https://files.example/fw", retrieve_at=NOW),
        o.UpdateFirmware(
            url="https://files.example/fw",
            retrieve_at=NOW,
            install_at=LATER,
            certificate=PEM,
            signature="c2ln",
            retries=1,
            retry_after_s=5,
            request_id=8,
        ),
    ),
    o.PublishFirmware: (o.PublishFirmware(url="https://files.example/fw", checksum=MD5, retries=1, retry_after_s=5),),
    o.UnpublishFirmware: (o.UnpublishFirmware(checksum=MD5),),
    o.InstallCertificate: (
        o.InstallCertificate(use="central_root", certificate=PEM),
        o.InstallCertificate(use="v2g_root", certificate=PEM),
    ),
    o.DeleteCertificate: (o.DeleteCertificate(certificate=HASH),),
    o.ListCertificates: (o.ListCertificates(), o.ListCertificates(uses=("v2g_root", "v2g_chain"))),
    o.DeliverCertificate: (
        o.DeliverCertificate(chain=PEM),
        o.DeliverCertificate(chain=PEM, use="v2g20", request_id=1),
        o.DeliverCertificate(chain=PEM, use="v2g", signing_request_id=UUID(int=1)),
    ),
    o.CustomerInformation: (
        o.CustomerInformation(token=o.TokenRef(uid="TAG1")),
        o.CustomerInformation(customer_id="C-1", is_cleared=True, request_id=3),
        o.CustomerInformation(certificate=HASH),
    ),
    o.GetLocalListVersion: (o.GetLocalListVersion(),),
    o.SendLocalList: (
        o.SendLocalList(version=1),
        o.SendLocalList(
            version=2,
            update="differential",
            entries=(
                o.ListedToken(uid="TAG1", expires_at=LATER, group_uid="GROUP"),
                o.ListedToken(uid="TAG2", status=None),
            ),
        ),
    ),
    o.Reserve: (
        o.Reserve(token=o.TokenRef(uid="TAG1"), expires_at=LATER, evse_number=1),
        o.Reserve(token=o.TokenRef(uid="TAG1"), expires_at=LATER, reservation_id=4, group=o.TokenRef(uid="GROUP")),
        o.Reserve(token=o.TokenRef(uid="TAG1"), expires_at=LATER, connector_standard="cType2"),
    ),
    o.CancelReservation: (o.CancelReservation(reservation_id=4),),
    o.SetDisplayMessage: (
        o.SetDisplayMessage(message_id=1, text=o.Text(content="Hello")),
        o.SetDisplayMessage(
            message_id=1,
            priority="in_front",
            text=o.Text(content="Hello", language="en", format="ascii"),
            texts=(o.Text(content="Hallo", language="de"),),
            while_state="discharging",
            from_at=NOW,
            until_at=LATER,
            transaction_id="tx",
            display="Display[left]@1",
        ),
    ),
    o.GetDisplayMessages: (
        o.GetDisplayMessages(),
        o.GetDisplayMessages(message_ids=(1,), priority="normal", while_state="idle", request_id=6),
    ),
    o.ClearDisplayMessage: (o.ClearDisplayMessage(message_id=1),),
    o.UpdateCost: (
        o.UpdateCost(transaction_id="17", total_cost=Decimal("1.25")),
        o.UpdateCost(
            transaction_id="17",
            total_cost=Decimal("1.25"),
            meter_wh=2500,
            state="idle",
            at=NOW,
            price_kwh=Decimal("0.5"),
            price_text="EUR 0.50/kWh",
            token_uid="TAG1",
        ),
    ),
    o.SetDefaultTariff: (
        o.SetDefaultTariff(tariff=SMALL_TARIFF),
        o.SetDefaultTariff(tariff=TARIFF, evse_number=1),
    ),
    o.GetTariffs: (o.GetTariffs(),),
    o.ClearTariffs: (o.ClearTariffs(), o.ClearTariffs(tariff_ids=("T1",), evse_number=1)),
    o.ChangeSessionTariff: (o.ChangeSessionTariff(transaction_id="tx", tariff=TARIFF),),
    o.RequestBatterySwap: (o.RequestBatterySwap(token=o.TokenRef(uid="TAG1")),),
    o.AnnounceWebPayment: (o.AnnounceWebPayment(evse_number=1, timeout_s=60),),
    o.SetDerControl: (
        o.SetDerControl(control_id="c1", type="volt_var", curve=CURVE),
        o.SetDerControl(
            control_id="c2",
            type="enter_service",
            is_default=True,
            enter_service=grid.EnterService(
                high_voltage_percent=Decimal("110"),
                low_voltage_percent=Decimal("90"),
                high_frequency_hz=Decimal("50.2"),
                low_frequency_hz=Decimal("49.5"),
                delay_s=Decimal("60"),
                random_delay_s=Decimal("10"),
                ramp_s=Decimal("300"),
            ),
        ),
        *(
            o.SetDerControl(
                control_id="c3",
                type=f"fixed_power_factor_{way}",  # type: ignore[arg-type]
                power_factor=grid.FixedPowerFactor(displacement=Decimal("0.95"), is_excited=True),
            )
            for way in ("absorb", "inject")
        ),
        o.SetDerControl(control_id="c4", type="fixed_var", fixed_var=grid.FixedVar(setpoint=Decimal("-20"))),
        o.SetDerControl(
            control_id="c5",
            type="frequency_droop",
            frequency_droop=grid.FrequencyDroop(
                over_frequency_hz=Decimal("50.2"),
                under_frequency_hz=Decimal("49.8"),
                over_droop=Decimal("0.05"),
                under_droop=Decimal("0.05"),
                response_time_s=Decimal("1"),
            ),
        ),
        o.SetDerControl(
            control_id="c6",
            type="gradients",
            gradients=grid.Gradients(gradient_percent=Decimal("10"), soft_gradient_percent=Decimal("1")),
        ),
        o.SetDerControl(
            control_id="c7",
            type="max_discharge",
            max_discharge=grid.MaxDischarge(percent=Decimal("60"), power_monitoring=CURVE),
        ),
    ),
    o.GetDerControls: (o.GetDerControls(), o.GetDerControls(type="volt_watt", is_default=True, request_id=1)),
    o.ClearDerControls: (o.ClearDerControls(), o.ClearDerControls(control_id="c1")),
    o.Raw: (o.Raw(action="ClearCache", payload={}),),
}
ALL = [order for examples in EXAMPLES.values() for order in examples]
