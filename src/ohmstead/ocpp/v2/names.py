"""OCPP 2.x: components and variables as words, `Component[instance]@evse.connector.Variable[instance]`, taken apart."""

from __future__ import annotations

import re

from ohmstead.core.errors import Refused
from ohmstead.ocpp.v2 import messages as m

_COMPONENT = r"(?P<component>[^.\[\]@]+)(\[(?P<instance>[^\]]+)\])?(@(?P<evse>\d{1,9})(\.(?P<connector>\d{1,9}))?)?"
_NAME = re.compile(rf"^{_COMPONENT}\.(?P<variable>[^.\[\]@]+)(\[(?P<variable_instance>[^\]]+)\])?$")
_ALONE = re.compile(rf"^{_COMPONENT}$")


def parse_name(name: str) -> tuple[m.ComponentType, m.VariableType]:
    """A component and its variable. Raises Refused."""
    match = _NAME.match(name)
    if match is None:
        raise Refused(f"not a variable: {name!r}; write Component.Variable, e.g. OCPPCommCtrlr.HeartbeatInterval")
    return _component(match), m.VariableType(name=match["variable"], instance=match["variable_instance"])


def parse_component(name: str) -> m.ComponentType:
    """A component alone. Raises Refused."""
    match = _ALONE.match(name)
    if match is None:
        raise Refused(f"not a component: {name!r}; write Component, Component[instance] or Component@evse.connector")
    return _component(match)


def parse_either(name: str) -> m.ComponentVariableType:
    """A component, or one variable of it. Raises Refused."""
    if _ALONE.match(name) is not None:
        return m.ComponentVariableType(component=parse_component(name))
    component, variable = parse_name(name)
    return m.ComponentVariableType(component=component, variable=variable)


def _component(match: re.Match[str]) -> m.ComponentType:
    evse = None
    if match["evse"]:
        evse = m.EVSEType(id=int(match["evse"]), connector_id=int(match["connector"]) if match["connector"] else None)
    return m.ComponentType(name=match["component"], instance=match["instance"], evse=evse)
