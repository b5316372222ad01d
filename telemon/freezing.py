"""The state of an observer as bytes, so that telemon can go on with calls under way after a restart.

What an observer knows is a graph with cycles (a call has legs, a leg has its call), which is what pickle is made for.
It is read back by an unpickler that makes nothing but the classes listed here, so that a forged file can do no more
than a wrong one. The configuration is not part of the state: services are kept by name and taken from the
configuration at hand.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from telemon import attempts, calls, census, handovers, legs, observation, operators, records, timekeeping, tracker
from telemon.ami import decoder, events
from telemon.observer import Observer
from telemon.records import ServiceKind
from telemon.services import Numbering, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULES: Final = (
    attempts, calls, census, decoder, events, handovers, legs, observation, operators, records, timekeeping, tracker,
)  # fmt: skip
_PICKLE: Final = 5  # the protocol of Python 3.8 and later


def _classes() -> Iterator[type]:
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


_KNOWN: Final = {(kind.__module__, kind.__qualname__): kind for kind in (*_classes(), Observer)} | {
    (kind.__module__, kind.__qualname__): kind for kind in (OrderedDict, defaultdict, deque, set, frozenset, int)
}


def _shape_of(kind: type) -> tuple[Any, ...]:
    """Return the names of what its instances hold."""
    code = getattr(vars(kind).get("__init__"), "__code__", None)
    return (kind.__qualname__, getattr(kind, "_fields", ()), code.co_names if code is not None else ())


FINGERPRINT: Final = hashlib.sha256(repr(sorted(_shape_of(kind) for kind in _KNOWN.values())).encode()).digest()
"""Of the classes' fields: state of a version of telemon that had others cannot be gone on with."""


def freeze(observer: Observer) -> bytes:
    """Return an observer's state."""
    target = io.BytesIO()
    pickler = pickle.Pickler(target, _PICKLE)
    pickler.dispatch_table = {Numbering: _without_numbering, Service: _by_name}
    pickler.dump(observer)
    return target.getvalue()


def thaw(state: bytes, fresh: Observer) -> Observer:
    """Return the observer of ``freeze``, under the configuration of a fresh one of the same PBX.

    Raises:
        ValueError: this is no state of an observer of this PBX; whatever is wrong with it.
    """
    try:
        observer = _Unpickler(io.BytesIO(state), fresh.tracker.numbering).load()
    except Exception as error:
        raise ValueError(f"no state of an observer: {error!r}") from error
    if not isinstance(observer, Observer) or observer.pbx != fresh.pbx or observer.tracker.site != fresh.tracker.site:
        raise ValueError("the state is of another PBX")
    observer.reconfigure(fresh)
    observer.timekeeper.part()  # another process, another steady clock
    observer.noted.clear()
    return observer


def _without_numbering(_: Numbering) -> tuple[Any, ...]:
    return _present_numbering, ()


def _by_name(service: Service) -> tuple[Any, ...]:
    return _present_service, (service.name, service.kind.value)


def _present_numbering() -> Numbering:
    """Stand in a state for the numbering at hand; ``_Unpickler`` knows which."""
    return Numbering()


def _present_service(name: str, kind: str) -> Service:
    """Stand in a state for the service of this name; ``_Unpickler`` knows which."""
    return Service(name=name, kind=ServiceKind(kind))


class _Unpickler(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, numbering: Numbering) -> None:
        super().__init__(source)
        self._numbering = numbering

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name == __name__:
            present = {"_present_numbering": self._present_numbering, "_present_service": self._present_service}
            return present[global_name]
        kind = _KNOWN.get((module_name, global_name))
        if kind is None:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of an observer")
        return kind

    def _present_numbering(self) -> Numbering:
        return self._numbering

    def _present_service(self, name: str, kind: str) -> Service:
        known = (service for service in self._numbering.services if service.name == name)
        return next(known, None) or _present_service(name, kind)
