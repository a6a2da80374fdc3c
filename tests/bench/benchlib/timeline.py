# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hand-over, or a return, cut into phases: each ends with something that the kernel or systemd has
done, and has all the time since the last one, whatever that went into."""

from typing import Callable, Dict, List, NamedTuple, Optional

from .numbers import median
from .trace import AUDIO, GPU, Act, Trace

# of a hand-over and of a return, with what each ends with
THERE = {
    "before": "the display manager's stop begins",
    "session": "the display manager has stopped",
    "audio": "the audio controller has no driver",
    "console": "the text consoles have no framebuffer",
    "GPU": "the GPU has no driver",
    "module": "its driver's module is unloaded",
    "vfio": "vfio-pci has the GPU",
    "rest": "the command returns",
}
BACK = {
    "vfio": "vfio-pci has let go",
    "module": "the driver's module is loaded and begins to probe",
    "GPU": "the driver has the GPU",
    "console": "the text consoles have the framebuffer",
    "audio": "the audio controller has its driver",
    "start": "the display manager's start begins",
    "manager": "the display manager has started",
    "desktop": "the desktop is on the monitor",
}


class Segment(NamedTuple):
    """A phase of one run, in seconds since its begin."""
    phase: str
    begin: float
    end: float


class Run(NamedTuple):
    """One way of one contender."""
    segments: List[Segment]
    returned: float  # when the command had
    kernel: float  # seconds in the acts that the phases end with

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.segments[-1].end

    def length(self, phase: str) -> float:
        """What a phase took; nothing, where it ended with another's act."""
        return sum(s.end - s.begin for s in self.segments if s.phase == phase)


def last(trace: Trace, wanted: Callable[[Act], bool]) -> Optional[Act]:
    """The last such act."""
    return next((act for act in reversed(trace.acts) if wanted(act)), None)


def cut(trace: Trace, ends: Dict[str, Optional[float]], acts: List[Optional[Act]]) -> Run:
    """The run of which this is when its phases ended."""
    segments: List[Segment] = []
    before = trace.begin
    for phase, end in sorted(((p, e) for p, e in ends.items() if e), key=lambda pair: pair[1]):
        segments.append(Segment(phase, before - trace.begin, end - trace.begin))
        before = end
    return Run(segments, trace.end - trace.begin, sum(a.end - a.begin for a in acts if a))


def end_of(act: Optional[Act]) -> Optional[float]:
    """When it was done, if it was."""
    return act.end if act else None


def there(trace: Trace, stamps: Dict[str, float]) -> Run:
    """A hand-over; stamps are the display manager's."""
    gpu = last(trace, lambda a: a.what == "unbind" and a.device == GPU)
    audio = last(trace, lambda a: a.what == "unbind" and a.device == AUDIO)
    console = last(trace, lambda a: a.what == "console_off")
    module = last(trace, lambda a: a.what == "unload" and bool(gpu) and a.end > gpu.end)
    vfio = last(trace, lambda a: a.what == "bind" and a.device == GPU)
    if not gpu or not vfio:
        raise ValueError("the GPU did not go to vfio-pci")
    return cut(trace, {
        "before": stamps["ActiveExit"], "session": stamps["InactiveEnter"],
        "audio": end_of(audio), "console": end_of(console), "GPU": gpu.end,
        "module": end_of(module), "vfio": vfio.end, "rest": trace.end,
    }, [audio, console, gpu, module, vfio])


def back(trace: Trace, stamps: Dict[str, float], desktop: float) -> Run:
    """A return; desktop is when it was on the monitor."""
    vfio = last(trace, lambda a: a.what == "unbind" and a.device == GPU)
    gpu = last(trace, lambda a: a.what == "bind" and a.device == GPU)
    audio = last(trace, lambda a: a.what == "bind" and a.device == AUDIO)
    console = last(trace, lambda a: a.what == "console_on" and bool(gpu) and a.begin > gpu.end)
    load = last(trace, lambda a: a.what == "load" and bool(gpu) and a.begin < gpu.begin)
    if not vfio or not gpu:
        raise ValueError("the GPU did not come back")
    nested = bool(load) and load.end > gpu.begin
    return cut(trace, {
        "vfio": vfio.end, "module": gpu.begin, "GPU": gpu.end, "console": end_of(console),
        "audio": end_of(audio), "start": stamps["InactiveExit"],
        "manager": stamps["ActiveEnter"], "desktop": desktop,
    }, [vfio, load, None if nested else gpu, console, audio])


def typical(runs: List[Run], phases: Dict[str, str]) -> List[Segment]:
    """A run whose phases take their medians, in the order of the run in the middle."""
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    order = [s.phase for s in middle.segments]
    at = 0.0
    segments = []
    for phase in order + [p for p in phases if p not in order]:
        length = median([run.length(phase) for run in runs])
        if length > 0:
            segments.append(Segment(phase, at, at + length))
            at += length
    return segments
