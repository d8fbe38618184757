"""The page of an evaluation: numbers, plots and the worst cases to hear, in one file that asks nothing of any network."""

import html
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import percepnet
from percepnet import metrics
from percepnet.evaluation.pictures import erb_share
from percepnet.evaluation.plots import Dot, band_plot, group_plot, scatter_plot
from percepnet.evaluation.run import Evaluation
from percepnet.evaluation.scores import METRICS
from percepnet.evaluation.summary import Mean, Table, change_of
from percepnet.evaluation.workers import Exhibit, PairScores

__all__ = ["LABELS", "OURS", "render"]

HEADLINES: Final = ("pesq", "stoi", "si_sdr", "ovrl", "damage")
LABELS: Final = {"snr_db": "SNR", "kind": "kind", "noise_kind": "kind of noise"}
OURS: Final = ("file", "sample_rate", "channels", "seconds", "notes")  # not taken from a manifest
FOLDER: Final = Path(__file__).parent


def render(evaluation: Evaluation) -> str:
    """The page. Nothing in it asks for anything outside it."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    sections = [_head(evaluation), _summary(evaluation), *_groups(evaluation), _scatters(evaluation), _bands(evaluation)]
    sections += [_gallery(evaluation), _files(evaluation), _about(evaluation)]
    title = html.escape(f"{evaluation.system}: percepnet eval")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style></head>\n<body><main>\n"
        + "\n".join(section for section in sections if section)
        + f"\n</main>\n<script>\n{script}</script></body></html>\n"
    )


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _head(evaluation: Evaluation) -> str:
    scored = evaluation.scored
    minutes = sum(result.seconds for result in scored) / 60
    rates = " and ".join(f"{rate / 1000:g}" for rate in sorted({result.sample_rate for result in scored}))
    facts = [f"{len(scored)} recordings", f"{minutes:.1f} minutes", f"{rates} kHz"]
    facts.append(
        "compared with the clean signals" if evaluation.with_clean else "without clean signals: predicted opinion only"
    )
    if evaluation.failed:
        facts.append(f'<a class="bad" href="#about">{len(evaluation.failed)} could not be scored</a>')
    cards = "".join(_card(name, evaluation.overall) for name in HEADLINES if name in evaluation.metrics)
    return (
        f'<header><p class="tool">percepnet eval</p><h1>{html.escape(evaluation.system)}</h1>'
        f'<p class="facts">{" · ".join(facts)}</p></header>\n<div class="cards">{cards}</div>'
    )


def _card(name: str, table: Table) -> str:
    metric, row = METRICS[name], table[name]
    return (
        f'<div class="card"><h3>{metric.title}</h3><p class="big">{metric.show(row["enhanced"].mean)}</p>'
        f"<p>noisy {metric.show(row['noisy'].mean)}</p>"
        f'<p class="{_verdict(name, row["change"])}">{_with_interval(name, row["change"], signed=True)}</p></div>'
    )


def _summary(evaluation: Evaluation) -> str:
    lines = []
    for name in evaluation.metrics:
        metric, row = METRICS[name], evaluation.overall[name]
        arrow = "higher is better" if metric.higher_is_better else "lower is better"
        lines.append(
            f'<tr><th scope="row">{metric.title}</th><td>{_with_interval(name, row["noisy"])}</td>'
            f"<td>{_with_interval(name, row['enhanced'])}</td>"
            f'<td class="{_verdict(name, row["change"])}">{_with_interval(name, row["change"], signed=True)}</td>'
            f'<td>{row["change"].n}</td><td class="words">{metric.meaning}; {arrow}</td></tr>'
        )
    head = '<tr><th></th><th>noisy</th><th>enhanced</th><th>change</th><th>files</th><th class="words">what it is</th></tr>'
    return (
        f'<section><h2>Means</h2><div class="wide"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'
        "<p>± is the 95 % interval of the mean over files (Student's t); for a change, that of the paired differences. "
        "A change is coloured where its interval does not contain 0. Files where either score is infinite or undefined "
        "are left out.</p>"
        "</section>"
    )


def _with_interval(name: str, mean: Mean, *, signed: bool = False) -> str:
    text = METRICS[name].show(mean.mean, signed=signed)
    if mean.half_width is None:
        return text
    return f"{text}<small>±{METRICS[name].show(mean.half_width)}</small>"


def _verdict(name: str, change: Mean) -> str:
    """Better or worse, where the interval of the change does not contain 0."""
    if change.low is None or change.high is None or change.low <= 0 <= change.high:
        return "even"
    return "better" if (change.low > 0) == METRICS[name].higher_is_better else "worse"


# ---- plots -----------------------------------------------------------------------------------------------------------

KEY = '<p class="key"><i class="noisy"></i> noisy <i class="enhanced"></i> enhanced</p>'


def _groups(evaluation: Evaluation) -> Iterator[str]:
    for column, tables in evaluation.by_group.items():
        label = html.escape(LABELS.get(column, column))
        plots = [
            _figure(
                METRICS[name].title,
                group_plot(
                    METRICS[name].title,
                    list(tables),
                    [table[name] for table in tables.values()],
                    METRICS[name].factor,
                    "dB SNR" if column == "snr_db" else "",
                ),
            )
            for name in evaluation.metrics
        ]
        yield f'<section><h2>By {label}</h2>{KEY}<div class="plots">{"".join(plots)}</div></section>'


def _scatters(evaluation: Evaluation) -> str:
    names = [name for name in ("pesq", "stoi", "si_sdr", "ovrl", "lsd", "damage") if name in evaluation.metrics]
    plots = [_figure(METRICS[name].title, scatter_plot(METRICS[name].title, _dots(evaluation, name))) for name in names]
    text = "<p>One dot a file; on the dashed line, enhancing changed nothing. Click a dot for the file's row.</p>"
    return f'<section><h2>Every file</h2>{text}<div class="plots">{"".join(plots)}</div></section>'


def _dots(evaluation: Evaluation, name: str) -> list[Dot]:
    metric, dots = METRICS[name], []
    for i, result in enumerate(evaluation.scored):
        before, after = result.noisy.values[name], result.enhanced.values[name]
        if before is not None and after is not None and math.isfinite(before) and math.isfinite(after):
            label = f"{result.pair.name}: {metric.show(before)} to {metric.show(after)}"
            dots.append(Dot(metric.factor * before, metric.factor * after, label, f"#file{i}"))
    return dots


def _bands(evaluation: Evaluation) -> str:
    results = [result for result in evaluation.scored if result.enhanced.damage_by_band]
    if not results:
        return ""
    noisy, enhanced = (
        [_mean_percent(shares) for shares in zip(*by_band, strict=True)]
        for by_band in ([r.noisy.damage_by_band for r in results], [r.enhanced.damage_by_band for r in results])
    )
    plot = band_plot("Speech lost by band", metrics.band_frequencies().tolist(), noisy, enhanced)
    return (
        "<section><h2>Where speech is lost</h2><p>Share of the clean speech's energy that was taken away, in %, by band, "
        "mean over files. Bars: enhanced; lines: the noisy signal, whose noise by chance cancels a little.</p>"
        f'<div class="band">{plot}</div></section>'
    )


def _mean_percent(shares: tuple[float | None, ...]) -> float | None:
    defined = [share for share in shares if share is not None]
    return 100 * sum(defined) / len(defined) if defined else None


def _figure(title: str, plot: str) -> str:
    return f"<figure><figcaption>{title}</figcaption>{plot}</figure>"


# ---- the worst cases -------------------------------------------------------------------------------------------------


def _gallery(evaluation: Evaluation) -> str:
    if not evaluation.exhibits:
        return ""
    text = (
        "Click into a spectrogram to hear that signal from there. <kbd>1</kbd> <kbd>2</kbd> <kbd>3</kbd> switch while playing, "
        "<kbd>space</kbd> pauses. Frames mark where most speech was lost."
    )
    exhibits = "".join(_exhibit(evaluation, exhibit) for exhibit in evaluation.exhibits)
    return f'<section><h2 id="worst">Worst cases</h2><p>{text}</p>{exhibits}</section>'


def _exhibit(evaluation: Evaluation, exhibit: Exhibit) -> str:
    result = exhibit.scores
    moments = "".join(
        f'<button class="moment" data-at="{start}">{start:.2f} s: {100 * lost:.0f} % lost</button>'
        for start, _, lost in result.enhanced.worst
    )
    changes = " · ".join(
        f"{METRICS[name].title} {' → '.join(METRICS[name].show(values[name]) for values in result.row.values())}"
        for name in evaluation.metrics
        if name in HEADLINES
    )
    tracks = "".join(_track(exhibit, i, name) for i, name in enumerate(exhibit.sounds))
    about = ", ".join(f"{LABELS.get(k, k)} {value}" for k, value in result.pair.about.items() if k not in OURS)
    return (
        f'<article class="exhibit" data-seconds="{result.seconds:.4f}" tabindex="0"><h3>{html.escape(result.pair.name)} '
        f'<span class="complaint">{html.escape(exhibit.complaint)}</span></h3>'
        f'<p class="facts">{html.escape(about)}</p><p>{changes}</p>'
        f'<p class="controls"><button class="play">Play</button><span class="time">0.00 s</span>{moments}</p>{tracks}'
        f"{_time_axis(result.seconds)}</article>"
    )


def _track(exhibit: Exhibit, index: int, name: str) -> str:
    seconds = max(exhibit.scores.seconds, 1e-3)
    marks = "".join(
        f'<i class="lost" style="left:{100 * start / seconds:.2f}%;width:{100 * (end - start) / seconds:.2f}%"></i>'
        for start, end, _ in exhibit.scores.enhanced.worst
        if name != "noisy"
    )
    ticks = "".join(
        f'<span style="bottom:{100 * float(erb_share(f_hz, exhibit.top_hz)):.1f}%">{f_hz / 1000:g}</span>'
        for f_hz in (500, 2000, 8000, 16000)
        if f_hz < 0.9 * exhibit.top_hz
    )
    return (
        f'<div class="track" data-sound="{exhibit.sounds[name]}">'
        f'<button class="name" title="key {index + 1}">{index + 1} {name}</button>'
        f'<div class="picture"><img alt="spectrogram of {name}" src="{exhibit.spectrograms[name]}">'
        f'{marks}<i class="head"></i></div>'
        f'<div class="ticks">{ticks}</div></div>'
    )


def _time_axis(seconds: float) -> str:
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60) if seconds / step <= 12), 300)
    times = [step * i for i in range(int(seconds / step) + 1)]
    ticks = "".join(f'<span style="left:{100 * time / seconds:.2f}%">{time:g}</span>' for time in times)
    return f'<div class="seconds"><div>{ticks}</div><span>kHz, s</span></div>'


# ---- the rest --------------------------------------------------------------------------------------------------------


def _files(evaluation: Evaluation) -> str:
    about = list(dict.fromkeys(column for result in evaluation.scored for column in result.pair.about if column in LABELS))
    heads = ["file", *(LABELS[column] for column in about), "s", *(METRICS[name].title for name in evaluation.metrics)]
    head = "".join(f'<th scope="col"><button>{text}</button></th>' for text in heads)
    rows = "".join(_file_row(evaluation.metrics, about, i, result) for i, result in enumerate(evaluation.scored))
    return (
        "<section><h2>All files</h2>"
        "<p>Enhanced, and its change from noisy. Click a heading to sort; hover over a file for its notes.</p>"
        f'<div class="wide"><table class="files"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _file_row(names: list[str], about: list[str], index: int, result: PairScores) -> str:
    cells = [f'<th scope="row" title="{html.escape("; ".join(result.notes))}">{html.escape(result.pair.name)}</th>']
    cells += [f"<td>{html.escape(result.pair.about.get(column, ''))}</td>" for column in about]
    cells.append(f"<td>{result.seconds:.1f}</td>")
    for name in names:
        metric, before, after = METRICS[name], result.noisy.values[name], result.enhanced.values[name]
        change = change_of(before, after)
        verdict = "even" if not change else "better" if (change > 0) == metric.higher_is_better else "worse"
        small = f'<small class="{verdict}">{metric.show(change, signed=True)}</small>'
        cells.append(f'<td data-value="{"" if after is None else after}">{metric.show(after)}{small}</td>')
    return f'<tr id="file{index}">{"".join(cells)}</tr>'


def _about(evaluation: Evaluation) -> str:
    facts = evaluation.as_dict()
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    lines = [f"percepnet {percepnet.__version__}, {facts['created']}; {packages}"]
    if evaluation.model:
        lines.append(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in evaluation.model.items()))
    lines.append(
        "Files are aligned by one constant delay each, found by cross-correlation, and cut to their common part. "
        "Channels are scored one by one and averaged. PESQ, SI-SDR and DNSMOS are taken at 16 kHz. Damage is "
        "1 - enhanced / clean of the energy in 34 ERB bands and frames of 10 ms, averaged over where there is speech; "
        "a constant loss of level counts too."
    )
    notes = [(result.pair.name, note) for result in evaluation.scored for note in result.notes]
    failed = [(pair.name, pair.error) for pair in evaluation.failed]
    parts = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return f'<section id="about"><h2>About</h2>{parts}{_notes("Not scored", failed)}{_notes("Notes", notes)}</section>'


def _notes(title: str, notes: list[tuple[str, str]]) -> str:
    items = "".join(f"<li><b>{html.escape(name)}</b> {html.escape(note)}</li>" for name, note in notes)
    return f"<h3>{title}</h3><ul>{items}</ul>" if notes else ""
