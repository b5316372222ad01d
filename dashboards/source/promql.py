"""PromQL, built from few words. Nothing here knows Grafana but its variables ``$site``, ``$service``, ``$rule_set``.

Two telemons may watch one PBX, and then every series is there twice: ``each`` takes the larger of the two, so that
nothing is counted twice and no join meets two partners.
"""

from __future__ import annotations

from typing import Final

SITE: Final = ("site",)
SERVICE: Final = ("site", "service")
RULE_SET: Final = "$rule_set"
_EDGE: Final = 1e-9
"""What floating point may take off a rate that is exactly its limit; no two shares of ten million calls are closer."""
KINDS: Final = ("lost", "answered", "within_rings")

_WEIGHTS: Final = {
    ("lost", "measured"): ("answered", "lost"),
    ("lost", "lower"): ("answered", "lost", "unknown"),
    ("lost", "upper"): ("answered", "lost", "unknown", "short_abandoned"),
    ("answered", "measured"): ("answered", "lost"),
    ("answered", "lower"): ("answered", "lost", "unknown", "short_abandoned"),
    ("answered", "upper"): ("answered", "lost", "unknown"),
    ("within_rings", "measured"): ("answered",),
    ("within_rings", "lower"): ("answered", "unknown"),
    ("within_rings", "upper"): ("answered", "unknown"),
}
"""The calls that each rate is a share of (``telemon.measures``): by these, services are put together."""

Wanted = str | tuple[str, ...]


def select(metric: str, scope: tuple[str, ...] = SERVICE, **labels: Wanted) -> str:
    """Return a selector for what the variables of ``scope`` choose; several wanted values make a regular expression."""
    chosen = [f'{name}=~"${name}"' for name in scope]
    for name, wanted in labels.items():
        chosen.append(f'{name}="{wanted}"' if isinstance(wanted, str) else f'{name}=~"{"|".join(wanted)}"')
    return f"{metric}{{{', '.join(chosen)}}}" if chosen else metric


def each(metric: str, *by: str, scope: tuple[str, ...] = SERVICE, **labels: Wanted) -> str:
    """Return one series for each site and service (or what ``scope`` names) and each value of ``by``."""
    return f"max by ({', '.join((*scope, *by))}) ({select(metric, scope, **labels)})"


def total(metric: str, *by: str, scope: tuple[str, ...] = SERVICE, **labels: Wanted) -> str:
    """Return the sum over all that is chosen."""
    return f"sum({each(metric, *by, scope=scope, **labels)})"


def worst(metric: str, *by: str, scope: tuple[str, ...] = SERVICE, **labels: Wanted) -> str:
    """Return the largest over all that is chosen."""
    return f"max({each(metric, *by, scope=scope, **labels)})"


def of_pbx(metric: str, *by: str) -> str:
    """Return a PBX's series with its site; PBXs of two telemons may bear one name, so the target counts too."""
    joined = f'{metric} * on (job, instance, pbx) group_left (site) telemon_pbx_info{{site=~"$site"}}'
    return f"max by ({', '.join(('site', 'pbx', *by))}) ({joined})"


def calls(period: str, *results: str) -> str:
    """Return, for each service, how many calls of a period had one of these results."""
    found = each("telemon_period_calls", "result", rule_set=RULE_SET, period=period, result=results)
    return f"sum by (site, service) ({found})"


def rate(kind: str, bound: str, period: str, *by: str) -> str:
    """Return a rate of the chosen services together, each by the number of its calls; nothing where none came."""
    value = bounded(bound, rate=kind, rule_set=RULE_SET, period=period)
    return _weighed(value, calls(period, *_WEIGHTS[kind, bound]), by)


def bounded(bound: str, *by: str, period: Wanted, **labels: Wanted) -> str:
    """Return each service's measured rate, or a bound of it that what was not observed has widened.

    As ``telemon.rates.Rate.widened``: with s the observed share, s * lower and s * upper + 1 - s.
    """
    value = each("telemon_period_rate", *by, scope=SERVICE, bound=bound, period=period, **labels)
    shared = tuple(name for name in by if name == "period")
    seen = each("telemon_period_observed", *shared, scope=SITE, period=period)
    on_site = f"on ({', '.join((*SITE, *shared))}) group_left ()"
    widened = {
        "measured": value,
        "lower": f"{value} * {on_site} {seen}",
        "upper": f"{value} * {on_site} {seen} + {on_site} (1 - {seen})",
    }
    return widened[bound]


def forecast(kind: str, period: str) -> str:
    """Return the rate expected at the period's end, of the chosen services together."""
    value = each("telemon_period_forecast", rate=kind, rule_set=RULE_SET, period=period)
    return _weighed(value, calls(period, *_WEIGHTS[kind, "measured"]), ())


def _weighed(value: str, weight: str, by: tuple[str, ...]) -> str:
    summed = f"sum by ({', '.join(by)})" if by else "sum"
    return f"{summed}(({value}) * on (site, service) {weight}) / ({summed}({weight}) > 0)"


def goal(kind: str) -> str:
    """Return the promised limit of a rate under the chosen rule set, without labels; nothing where it has none."""
    return f'max(telemon_goal{{rule_set="{RULE_SET}", rate="{kind}"}})'


def judged(kind: str, period: str) -> dict[str, str]:
    """Return the measured rate under exactly one of four names: kept, broken, undecided, aimless.

    As ``telemon.rates`` judges: only a bound that lies on the right side of the limit keeps the promise, only one on
    the wrong side breaks it. Aimless is a rate for which the rule set names no goal.
    """
    value, low, high = (rate(kind, bound, period) for bound in ("measured", "lower", "upper"))
    limit = goal(kind)
    under, over = f"({high}) < scalar({limit}) - {_EDGE}", f"({low}) >= scalar({limit}) - {_EDGE}"
    kept, broken = (under, over) if kind == "lost" else (over, under)
    return {
        "kept": f"({value}) and ({kept})",
        "broken": f"({value}) and ({broken})",
        "undecided": f"({value}) and {limit} unless ({kept}) unless ({broken})",
        "aimless": f"({value}) unless {limit}",
    }


def judged_forecast(kind: str, period: str) -> dict[str, str]:
    """Return the forecast under exactly one of three names: kept, broken, aimless."""
    value, limit = forecast(kind, period), goal(kind)
    keeps, breaks = ("<", ">=") if kind == "lost" else (">=", "<")
    return {
        "kept": f"({value}) {keeps} scalar({limit}) - {_EDGE}",
        "broken": f"({value}) {breaks} scalar({limit}) - {_EDGE}",
        "aimless": f"({value}) unless {limit}",
    }


def verdicts(*by: str, period: Wanted, rule_set: str = ".+") -> str:
    """Return 1 for each promise that is kept, -1 for one that is broken, 0 where that cannot be told."""
    keys = ("rule_set", "rate", *by)

    def bound(name: str) -> str:
        return f"({bounded(name, *keys, period=period, rule_set=(rule_set,))})"

    def limits(sense: str) -> str:
        limit = f'max by (rule_set, rate) (telemon_goal{{sense="{sense}"}})'
        return f"on (rule_set, rate) group_left () ({limit} - {_EDGE})"

    below = f"({bound('upper')} < bool {limits('below')}) - ({bound('lower')} >= bool {limits('below')})"
    at_least = f"({bound('lower')} >= bool {limits('at_least')}) - ({bound('upper')} < bool {limits('at_least')})"
    return f"({below}) or ({at_least})"


def _by_kind(told: dict[str, str]) -> str:
    """Return what is told of the first rate for which the rule set has a goal."""
    return " or ".join(f"(({told[kind]}) and {goal(kind)})" for kind in told)


def budget_share(period: str) -> str:
    """Return how much is left of what the promise allows to fail, as a share: 1 all of it, below 0 overspent."""
    told = {"lost": f"1 - ({rate('lost', 'measured', period)}) / scalar({goal('lost')})"}
    for kind in ("answered", "within_rings"):
        told[kind] = f"1 - (1 - ({rate(kind, 'measured', period)})) / (1 - scalar({goal(kind)}))"
    return _by_kind(told)


def budget_calls(period: str) -> str:
    """Return how many of the calls so far may still fail before the promise is broken; below 0 so many too many."""
    lost, answered, within = (f"sum({calls(period, result)})" for result in ("lost", "answered", "within_rings"))
    counted = f"sum({calls(period, 'answered', 'lost')})"
    told = {
        "lost": f"floor(scalar({goal('lost')}) * {counted} - {lost} + {_EDGE})",
        "answered": f"floor((1 - scalar({goal('answered')})) * {counted} - {lost} + {_EDGE})",
        "within_rings": f"floor((1 - scalar({goal('within_rings')})) * {answered} - ({answered} - {within}) + {_EDGE})",
    }
    return _by_kind(told)
