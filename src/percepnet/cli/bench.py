"""percepnet bench: what the enhancement costs on this machine."""

from typing import Annotated, Any

import typer

from percepnet.cli import options as shared

EXAMPLES = """Examples:

  percepnet bench

  percepnet bench --sample-rate 16000 --channels 2 --json

  percepnet bench --paced 0 --model other.pnw
"""


def bench(
    model: shared.Model = "default",
    sample_rate: Annotated[int, typer.Option(metavar="HZ", min=8000, max=192000)] = 48000,
    channels: Annotated[int, typer.Option(metavar="N", min=1, max=64)] = 1,
    core: Annotated[int | None, typer.Option(metavar="N", help="Which one to use. Without: the last.")] = None,
    hot: Annotated[int, typer.Option(metavar="HOPS", min=1, help="Calls one after the other.")] = 2000,
    paced: Annotated[int, typer.Option(metavar="HOPS", min=0, help="Calls 10 ms apart, as in a live stream.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Times the enhancement of 10 ms on one core: hot, and paced when caches are cold, which is the cost that counts.

    All instruction sets of this processor are timed after a check that they give the same samples. 100 microseconds per
    hop are 1 % of a core. Then the parts of a hop, many streams in one call, whole files, memory and start-up.
    """
    import json

    import percepnet
    from percepnet import benchmark

    loaded = percepnet.load_model(model)
    benchmark.pin(core)
    result = benchmark.run(loaded, sample_rate, channels, hot, paced) | {"start_up": benchmark.start_up(model)}
    typer.echo(json.dumps(result, indent=1) if as_json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    model, machine, start = result["model"], result["machine"], result["start_up"]
    lines = [
        f"{model['id']}: {model['n_weights']} weights, {model['bytes'] / 1e6:.2f} MB",
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        f"{result['sample_rate']} Hz, {result['channels']} channel(s)",
        "",
        "| microseconds per hop of 10 ms | min | median | p99 | max | % of a core |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result["hops"].items():
        times = " | ".join(f"{row[statistic]:.0f}" for statistic in ("min", "median", "p99", "max"))
        lines.append(f"| {name} | {times} | {row['percent_of_core']:.2f} |")
    lines += ["", f"| part, {next(iter(result['hops']))} | microseconds per hop |", "| --- | --- |"]
    lines += [f"| {name} | {us:.1f} |" for name, us in result["stages"].items()]
    streams = result["streams"]
    peak = f", peak {start['peak_bytes'] / 1e6:.0f} MB of memory" if start["peak_bytes"] else ""
    lines += [
        "",
        f"{streams['per_core']} streams per core: {streams['at_once']} in one call, {streams['us_per_hop_median']:.1f} us each",
        f"Files: {result['file_times_real_time']:.0f} times real time. A stream: {result['stream_bytes'] / 1e3:.0f} kB.",
        f"Start-up of Python: import {start['import_ms']:.0f} ms, model and stream {start['load_ms']:.0f} ms{peak}.",
        f"`percepnet --help`: {start['help_ms']:.0f} ms.",
    ]
    return "\n".join(lines)
