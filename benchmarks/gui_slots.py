"""Times every call of ours on the GUI's thread: a signal's, a timer's, a key's or a script's.

All functions and methods of `napari_sam.ui` are wrapped; of calls inside calls only the outermost
counts. Apart are noted the time that napari takes to make and add a layer, and Python's garbage
collections, as neither is of our making.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import pkgutil
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import napari.layers
from napari.components.layerlist import LayerList

import napari_sam.ui

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 50.0
"""Milliseconds that a slot may take."""


@dataclass(slots=True)
class Slot:
    """One call; milliseconds.

    Attributes
    ----------
    name : str
    phase : str
        What the benchmark was doing.
    wall, cpu : float
        By the clock, and on a processor: the rest is waiting, or other programs'.
    layers : float
        Of `cpu`, inside napari's making and adding of layers.
    collecting : float
        Of `cpu`, in the garbage collector and not while a layer was made.
    """

    name: str
    phase: str
    wall: float = 0.0
    cpu: float = 0.0
    layers: float = 0.0
    collecting: float = 0.0

    @property
    def own(self) -> float:
        """Processor time that is left when napari's layers and the collector are taken off."""
        return self.cpu - self.layers - self.collecting


@dataclass(slots=True)
class Slots:
    """All calls since `watch`."""

    phase: str = "begin"
    calls: list[Slot] = field(default_factory=list)
    collections: list[tuple[str, int, float]] = field(default_factory=list)
    _open: Slot | None = None
    _layer_depth: int = 0
    _collection: tuple[float, float] = (0.0, 0.0)

    def watch(self) -> None:
        """Wrap what there is; before a viewer or a panel is made."""
        for info in pkgutil.walk_packages(napari_sam.ui.__path__, "napari_sam.ui."):
            module = importlib.import_module(info.name)
            for name, value in list(vars(module).items()):
                if getattr(value, "__module__", None) != info.name:
                    continue
                if inspect.isclass(value):
                    self._watch_class(value)
                elif inspect.isfunction(value) and not inspect.isgeneratorfunction(value):
                    setattr(module, name, self._timed(value, f"{info.name[14:]}.{name}"))
        for owner in (napari.layers.Points, napari.layers.Shapes, napari.layers.Labels):
            owner.__init__ = self._making(owner.__init__)
        LayerList.insert = self._making(LayerList.insert)
        gc.callbacks.append(self._on_collection)

    def during(self, phase: str) -> None:
        """Say what goes on from now on."""
        self.phase = phase

    def timed(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something as one slot."""
        return self._timed(call, name)(*arguments)

    def table(self) -> list[dict[str, Any]]:
        """Largest of each name, by own processor time, the largest first."""
        by_name: defaultdict[str, list[Slot]] = defaultdict(list)
        for slot in self.calls:
            by_name[slot.name].append(slot)
        rows = []
        for name, slots in by_name.items():
            worst = max(slots, key=lambda slot: slot.own)
            rows.append(
                {
                    "slot": name,
                    "calls": len(slots),
                    "own_cpu_ms": worst.own,
                    "cpu_ms": worst.cpu,
                    "wall_ms": worst.wall,
                    "layers_ms": worst.layers,
                    "collecting_ms": worst.collecting,
                    "phase": worst.phase,
                    "over_limit": sum(slot.own > LIMIT for slot in slots),
                    "over_limit_all": sum(slot.cpu > LIMIT for slot in slots),
                    "wall_over_limit": sum(slot.wall > LIMIT for slot in slots),
                }
            )
        return sorted(rows, key=lambda row: -row["own_cpu_ms"])

    def show(self, most: int = 25) -> None:
        """Print the largest."""
        print(
            f"{'slot':44} calls  own cpu   cpu   wall  layers   gc  phase of the largest (ms; "
            f"own = cpu - napari's layers - gc; limit {LIMIT:.0f})"
        )
        for row in self.table()[:most]:
            print(
                f"{row['slot'][:44]:44} {row['calls']:5} {row['own_cpu_ms']:8.1f} "
                f"{row['cpu_ms']:6.1f} {row['wall_ms']:6.1f} {row['layers_ms']:7.1f} "
                f"{row['collecting_ms']:5.1f}  {row['phase']}"
            )
        over = [slot for slot in self.calls if slot.cpu > LIMIT]
        print(f"{len(self.calls)} slots; with more than {LIMIT:.0f} ms on a processor:")
        for slot in over:
            print(
                f"    {slot.name}, {slot.phase}: cpu {slot.cpu:.0f}, wall {slot.wall:.0f}, of that "
                f"napari's layers {slot.layers:.0f}, gc {slot.collecting:.0f}"
            )
        long = [entry for entry in self.collections if entry[2] > 20]
        print(f"garbage collections of more than 20 ms, on any thread: {len(long)}")
        for phase, generation, took in long:
            print(f"    generation {generation}, {phase}: {took:.0f}")

    def _watch_class(self, owner: type) -> None:
        for name, value in list(vars(owner).items()):
            label = f"{owner.__name__}.{name}"
            if isinstance(value, property):
                if value.fset is not None:
                    setattr(owner, name, value.setter(self._timed(value.fset, f"{label} =")))
            elif (
                inspect.isfunction(value)
                and not name.startswith("__")
                and not inspect.isgeneratorfunction(value)
            ):
                setattr(owner, name, self._timed(value, label))

    def _timed(self, inner: Callable[..., Any], name: str) -> Callable[..., Any]:
        main = threading.main_thread()
        most = _most_arguments(inner)

        @functools.wraps(inner)
        def call(*arguments: Any, **named: Any) -> Any:
            arguments = arguments[:most]  # Qt tries fewer arguments by itself, but only of ours
            if self._open is not None or threading.current_thread() is not main:
                return inner(*arguments, **named)
            slot = self._open = Slot(name, self.phase)
            begin, worked = time.perf_counter(), time.thread_time()
            try:
                return inner(*arguments, **named)
            finally:
                slot.wall = 1000 * (time.perf_counter() - begin)
                slot.cpu = 1000 * (time.thread_time() - worked)
                self._open = None
                self.calls.append(slot)

        return call

    def _making(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(inner)
        def call(*arguments: Any, **named: Any) -> Any:
            begin = time.thread_time()
            self._layer_depth += 1
            try:
                return inner(*arguments, **named)
            finally:
                self._layer_depth -= 1
                if self._layer_depth == 0 and self._open is not None:
                    self._open.layers += 1000 * (time.thread_time() - begin)

        return call

    def _on_collection(self, when: str, info: dict[str, int]) -> None:
        if when == "start":
            self._collection = time.perf_counter(), time.thread_time()
            return
        begin, worked = self._collection
        took = 1000 * (time.perf_counter() - begin)
        self.collections.append((self.phase, info["generation"], took))
        here = threading.current_thread() is threading.main_thread()
        if here and self._open is not None and self._layer_depth == 0:
            self._open.collecting += 1000 * (time.thread_time() - worked)


def _most_arguments(function: Callable[..., Any]) -> int | None:
    kinds = [each.kind for each in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in positional for kind in kinds)
