"""A dashboard around its panels: variables, annotations, links; and its JSON, the same bytes every time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.source import palette
from dashboards.source.sheet import SOURCE, Sheet
from dashboards.source.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from grafana_foundation_sdk.cog.builder import Builder

METRIC: Final = re.compile(r"\b(?:telemon|process)_\w+")
DEFAULT_RULE_SET: Final = "qualipref"
_GAPS: Final = (
    "telemon_observation_seeing == bool 0"  # Grafana marks only values above 0
    ' and on (job, instance, pbx) telemon_pbx_info{site=~"$site"}'
)
_ALERTS: Final = 'ALERTS{alertname=~"Telemon.*", alertstate="firing"}'
_CRISES: Final = 'max by (site, service, exercise) (telemon_crisis_open{site=~"$site"})'


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a dashboard is besides its panels.

    ``variables`` names, in order, each variable and the metric whose labels are its values. ``since`` is the start of
    the time shown, ``refresh`` how often it is renewed, both as Grafana writes them.
    """

    slug: str
    variables: dict[str, str]
    since: str
    refresh: str
    panels: Callable[[Sheet], Iterable[Builder[Panel]]]


def draw(plan: Plan, language: str) -> tuple[str, Words]:
    """Return the dashboard's JSON in one language, and the texts that it used."""
    say = Words(plan.slug, language)
    board = dashboard.Dashboard(say("title")).uid(f"telemon-{plan.slug}-{language}").description(say("description"))
    board = board.tags(["telemon", language]).timezone("browser").week_start("monday").time(plan.since, "now")
    board = board.refresh(plan.refresh).readonly().link(_others(say))
    for name, metric in plan.variables.items():
        board = board.with_variable(_variable(name, metric, plan, say))
    built = board.build()
    built.panels = [_finish(panel.build(), say) for panel in plan.panels(Sheet(say))]
    tree = json.loads(json.dumps(built, cls=JSONEncoder))
    tree["annotations"] = {"list": list(_annotations(plan, say))}
    tree["version"] = 1
    return json.dumps(tree, ensure_ascii=False, indent=1, sort_keys=True) + "\n", say


def _finish(panel: Panel, say: Words) -> Panel:
    """Name the metrics behind a panel in its description."""
    found = [query["expr"] for query in json.loads(json.dumps(panel.targets or [], cls=JSONEncoder))]
    metrics = sorted(set(METRIC.findall(" ".join(found))) - {"telemon_pbx_info"})
    named = ", ".join(f"`{metric}`" for metric in metrics)
    panel.description = f"{panel.description}\n\n{say('from_metrics')} {named}"
    return panel


def _others(say: Words) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(say("others")).type(DashboardLinkType.DASHBOARDS).tags(["telemon", say.language])
    return link.as_dropdown(False).include_vars(True).keep_time(False).icon("external link").tooltip("")


def _variable(name: str, metric: str, plan: Plan, say: Words) -> dashboard.QueryVariable:
    scope = '{site=~"$site"}' if name == "service" and "site" in plan.variables else ""
    asked = f"label_values({metric}{scope}, {name})"
    variable = dashboard.QueryVariable(name).label(say(f"variable.{name}")).datasource(SOURCE)
    variable = variable.query({"query": asked, "refId": f"variable-{name}", "qryType": 1})
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if name == "rule_set":
        chosen = VariableOption(selected=True, text=DEFAULT_RULE_SET, value=DEFAULT_RULE_SET)
        return variable.multi(False).include_all(False).current(chosen)
    chosen = VariableOption(selected=True, text=[say("all")], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(chosen)


def _annotations(plan: Plan, say: Words) -> Iterable[dict[str, Any]]:
    """Yield marks over the curves; the SDK has no field for a Prometheus annotation's title and tags."""
    marks = {"gaps": (_GAPS, palette.UNKNOWN, "pbx"), "alerts": (_ALERTS, palette.SLOW, "alertname,site,service")}
    marks["crises"] = (_CRISES, palette.EVENT, "site,service")
    for name, (expr, color, tags) in marks.items():
        scoped = expr if "site" in plan.variables else expr.replace("$site", ".*")
        yield {
            "datasource": SOURCE.to_json(),
            "enable": True,
            "expr": scoped,
            "hide": False,
            "iconColor": color,
            "name": say(f"annotation.{name}.name"),
            "step": "15s",
            "tagKeys": tags,
            "target": {"expr": scoped, "interval": "15s", "refId": name},
            "textFormat": say(f"annotation.{name}.text"),
            "titleFormat": say(f"annotation.{name}.title"),
            "useValueForTime": False,
        }
