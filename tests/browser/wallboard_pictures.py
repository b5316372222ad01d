"""Pictures for the wallboard: a calm morning, one on which all goes wrong, a hundred préfectures."""

import time


def day(answered, lost, within, *, keeps=None):
    """Return a service's day; a call that nobody saw the end of makes the bounds."""
    calls = answered + lost
    lost_rate = [lost / calls, lost / (calls + 1), (lost + 1) / (calls + 1)] if calls else None
    within_rate = [within / answered, within / (answered + 1), (within + 1) / (answered + 1)] if answered else None
    figures = {"answered": answered, "lost": lost, "within": within}
    return {**figures, "lost_rate": lost_rate, "within_rate": within_rate, "keeps": keeps}


def service(name, site="Nantes", *, waiting=0, talking=0, longest_since=None, figures=None, breach=False, **operators):
    return {
        "key": f"{site}|{name}",
        "site": site,
        "service": name,
        "kind": "switchboard",
        "waiting": waiting,
        "talking": talking,
        "longest_since": longest_since,
        "operators": {"reachable": 0, "ringing": 0, "talking": 0, "paused": 0, "unreachable": 0, **operators},
        "day": figures or day(0, 0, 0),
        "breach": breach,
    }


def call(number, alerting, *, key="Nantes|standard", caller=None, state="waiting"):
    arrived = alerting - 0.4
    return {"id": f"c{number}", "key": key, "arrived": arrived, "alerting": alerting, "state": state} | {
        "caller": caller,
        "operator": None,
    }


def calm():
    """A morning on which all is well."""
    now = time.time()
    standard = service("standard", talking=3, figures=day(142, 9, 134, keeps=True), reachable=2, talking_=0)
    standard["operators"] = {"reachable": 2, "ringing": 0, "talking": 3, "paused": 1, "unreachable": 0}
    standard["waiting"], standard["longest_since"] = 1, now - 3
    etrangers = service("etrangers", talking=2, figures=day(88, 6, 81, keeps=True), reachable=1, paused=1)
    titres = service("titres", figures=day(37, 2, 35, keeps=True), reachable=2, unreachable=1)
    return {
        "now": now,
        "blind": [],
        "services": [standard, etrangers, titres],
        "total": {"waiting": 1, "talking": 5, "day": day(267, 17, 250, keeps=True)},
        "calls": [call(1, now - 3, caller="02 40 12 34 56")],
        "more": 0,
        "losses": [
            {"at": now - 900, "key": "Nantes|standard", "rings": 6, "outcome": "abandoned", "caller": "06 39 98 12 34"},
            {
                "at": now - 2700,
                "key": "Nantes|etrangers",
                "rings": 3,
                "outcome": "abandoned",
                "caller": "06 39 98 77 01",
            },
            {"at": now - 6100, "key": "Nantes|standard", "rings": None, "outcome": "busy", "caller": "06 39 98 44 55"},
        ],
        "callbacks": [
            {
                "id": "b1",
                "key": "Nantes|standard",
                "number": "06 39 98 12 34",
                "times": 1,
                "first": now - 900,
                "last": now - 900,
            },
            {
                "id": "b2",
                "key": "Nantes|etrangers",
                "number": "06 39 98 77 01",
                "times": 3,
                "first": now - 7200,
                "last": now - 2700,
            },
        ],
        "callbacks_count": 2,
        "permanence": [{"service": "permanence", "state": "covered", "cause": None, "on_duty": ["Camille Durand"]}],
        "crisis": [],
        "conditions": [],
    }


def breached():
    """A caller has waited too long, one PBX is not being watched, a crisis cell is called together."""
    picture, now = calm(), time.time()
    names = ("standard", "etrangers", "standard", "titres", "standard")
    waits = (27.0, 21.5, 12.0, 6.0, 1.0)
    picture["calls"] = [
        call(number, now - wait, key=f"Nantes|{name}", caller=f"06 39 98 00 0{number}")
        for number, (name, wait) in enumerate(zip(names, waits, strict=True))
    ]
    first, second, third = picture["services"]
    first.update(waiting=3, breach=True, longest_since=now - 27, day=day(142, 21, 118, keeps=False))
    second.update(waiting=1, breach=True, longest_since=now - 21.5)
    third.update(waiting=1, longest_since=now - 6)
    picture["services"].append(service("standard", "Saint-Nazaire", figures=day(61, 3, 58, keeps=True), reachable=2))
    picture["total"] = {"waiting": 5, "talking": 5, "day": day(267, 43, 211, keeps=False)}
    picture["blind"] = [{"pbx": "saint-nazaire", "site": "Saint-Nazaire", "since": now - 340, "cause": "link_cut"}]
    picture["permanence"][0].update(state="uncovered", cause="nobody_registered")
    stages = {"ordered": now - 1460, "staffed": now - 600, "line_open": None, "operational": None}
    picture["crisis"] = [
        {"service": "crise", "exercise": True, "deadline": now + 2140, "stages": stages, "people": 5, "plan": 6}
    ]
    text = "permanence: nobody can be reached by phone: no phone of the permanence is registered."
    picture["conditions"] = [{"kind": "uncovered", "service": "permanence", "since": now - 60, "text": text}]
    return picture


def a_morning(quarters=14):
    """Return the history of a morning: seven o'clock to half past ten, a peak at nine."""
    step = 900
    first = int(time.time()) // step * step - step * (quarters - 1)
    answered = [round(4 + 22 * 2.718 ** (-(((at - 8) / 4) ** 2))) for at in range(quarters)]
    lost = [count // 11 for count in answered]
    within = [count - count // 8 for count in answered]
    return {"step": step, "start": [first + step * at for at in range(quarters)]} | {
        "answered": answered,
        "lost": lost,
        "within": within,
    }


def big(sites=100, names=("standard", "etrangers", "titres", "permanence", "crise")):
    """A hundred préfectures of five services each, callers waiting at some."""
    now = time.time()
    places = [f"Préfecture {number:03}" for number in range(sites)]
    services = [
        service(
            name,
            place,
            figures=day(40 + at % 90, at % 9, 38),
            reachable=at % 4,
            paused=at % 2,
            waiting=int(at % 7 == 0),
        )
        for place in places
        for at, name in enumerate(names, sum(place.encode()))
    ]
    calls = [
        call(at, now - at / 7, key=services[at * 2 % len(services)]["key"], caller=f"063998{at:04}")
        for at in range(200)
    ]
    total = {"waiting": 200, "talking": 0, "day": day(40_000, 2_100, 37_000, keeps=True)}
    return {**calm(), "services": services, "calls": calls, "total": total}
