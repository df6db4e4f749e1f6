"""Figures of a run: samples by name, ratios of samples taken side by side, bars, a table.

    figures = Figures()
    figures.add("monitor.cpu", 0.61, "CPU-s / M events", "monitor, 10,000 rules")   # once a round
    figures.ratio("monitor.ratio", "monitor.cpu", "few.cpu", "10 -> 10,000 rules", most=1.5)

A ratio is taken within each round: what disturbs the machine for a minute disturbs both sides."""

import json
import math


def percentile(values, share):
    """The smallest value that at least that share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def middle(values):
    """The median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class Figure:
    """most, least: the bar of the design, for showing. Bars are met by the median."""

    def __init__(self, part, unit, title, most=None, least=None):
        self.part, self.unit, self.title, self.most, self.least = part, unit, title, most, least
        self.samples = []

    @property
    def median(self):
        return middle(self.samples)

    @property
    def bar(self):
        if self.most is not None:
            return f"<= {number(self.most)}"
        return f">= {number(self.least)}" if self.least is not None else ""

    @property
    def is_met(self):
        """None without a bar."""
        if self.most is not None:
            return self.median <= self.most
        return self.median >= self.least if self.least is not None else None

    def as_json(self):
        shown = {"part": self.part, "title": self.title, "unit": self.unit, "min": min(self.samples),
                 "median": self.median, "max": max(self.samples), "samples": self.samples}
        if self.bar:
            shown.update(bar=self.bar, met=self.is_met)
        return shown


def number(value):
    """Three digits that count, thousands set apart."""
    if value == 0:
        return "0"
    if math.isinf(value):
        return "too fast"  # over before the other side's clock moved: amounts of a test, or a fast machine
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}"


class Figures:
    def __init__(self):
        self.all = {}
        self.notes = []
        self.part = ""

    def add(self, name, value, unit, title, **bar):
        """One sample. The title is what people read, the name what programs do."""
        figure = self.all.setdefault(name, Figure(self.part, unit, title, **bar))
        figure.samples.append(value)

    def ratio(self, name, above, below, title, **bar):
        """above / below, round by round."""
        pairs = [self.all[key].samples if key in self.all else [] for key in (above, below)]
        for one, other in zip(*pairs):
            if other > 0:
                self.add(name, one / other, "x", title, **bar)

    def median(self, name):
        return self.all[name].median if name in self.all else None

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def as_json(self, machine):
        return json.dumps({"machine": machine, "notes": self.notes,
                           "figures": {name: f.as_json() for name, f in self.all.items()}}, indent=1)

    def table(self):
        """Lines of text, one part after the other."""
        lines, part = [], None
        wide = max([len(f.title) for f in self.all.values()] + [10])
        for figure in self.all.values():
            if figure.part != part:
                part = figure.part
                lines += ["", part, f"  {'':{wide}}  {'min':>10} {'median':>10} {'max':>10}"]
            bar = ""
            if figure.bar:
                bar = f"  bar {figure.bar}: {'met' if figure.is_met else 'NOT MET'}"
            lines.append(f"  {figure.title:{wide}}  {number(min(figure.samples)):>10}"
                         f" {number(figure.median):>10} {number(max(figure.samples)):>10}"
                         f"  {figure.unit}{bar}")
        if self.notes:
            lines += ["", "Notes"] + [f"  - {note}" for note in self.notes]
        return lines
