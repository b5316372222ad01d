"""A scenario to change as a test needs it."""

from simulators.traffic import Scenario


def scenario(**changes):
    values = {
        "name": "test",
        "title": "",
        "begins": "2026-11-23T09:00",
        "lasts_hours": 1,
        "calls_per_day": 1000,
        "services": {"standard": {"share": 1.0}},
    }
    return Scenario.model_validate(values | changes)
