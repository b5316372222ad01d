"""Seeded traffic for a switchboard: who calls, who answers, and what must therefore be measured.

``stream`` and ``draw`` turn a scenario (``scenarios/*.toml``, or a file of one's own) into planned calls, each with
its outcome known beforehand. Pure: no clock, and no input but scenario files.
"""

from simulators.traffic.draw import draw, stream
from simulators.traffic.reading import load_scenario, scenario_names
from simulators.traffic.scenario import Scenario

__all__ = ["Scenario", "draw", "load_scenario", "scenario_names", "stream"]
