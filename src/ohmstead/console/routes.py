"""Every page of the console, on one screen."""

from __future__ import annotations

from litestar import Router

from ohmstead.console import (
    bulk,
    certificates,
    configuration,
    files,
    live,
    messages,
    overview,
    reservations,
    search,
    sessions,
    station,
    stations,
    templates,
)
from ohmstead.ui.templating import template_config

__all__ = ["router", "template_config"]

router = Router(
    path="/",
    route_handlers=[
        overview.overview,
        overview.overview_part,
        overview.waiting,
        overview.attention,
        overview.simulator_key,
        stations.stations,
        stations.stations_csv,
        stations.new_station,
        stations.add_station,
        stations.import_page,
        stations.import_table,
        stations.adopt_station,
        stations.reject_station,
        bulk.new_bulk,
        bulk.make_bulk,
        bulk.bulks,
        bulk.bulk,
        bulk.results_csv,
        bulk.cancel_bulk,
        station.station,
        station.station_now,
        station.station_timeline,
        configuration.configuration,
        configuration.reconcile,
        station.command_form,
        station.send_command,
        certificates.certificates,
        certificates.revoke,
        certificates.do,
        templates.template_list,
        templates.new_template,
        templates.add_template,
        templates.template,
        templates.change_template,
        messages.messages,
        messages.messages_csv,
        sessions.sessions,
        sessions.sessions_csv,
        sessions.session,
        sessions.readings_csv,
        reservations.reservations_page,
        reservations.add_reservation,
        reservations.change_reservation,
        reservations.cancel_reservation,
        reservations.profiles_page,
        search.search,
        live.live,
        *files.HANDLERS,
    ],
)
