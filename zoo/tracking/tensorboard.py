"""TensorBoard: each run is a folder of event files, which `tensorboard --logdir DIR` shows."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from zoo.errors import InputError
from zoo.tracking.run import Curves, Run
from zoo.tracking.tracking import check_place

DONE = ".done"  # in the folder of a run that has ended


def opened(address: str, _: Sequence[str]) -> "TensorBoard":
    """Runs below the folder `address`."""
    if not address:
        raise InputError("name a folder, as in tensorboard:runs")
    check_place(Path(address))
    return TensorBoard(Path(address))


class TensorBoard:
    """Event files in DIR/<suite>/<name>-<key>."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, SummaryWriter] = {}

    def start(self, run: Run) -> bool:
        folder = self._folder(run)
        if run.group is not None and (folder / DONE).exists():
            return False
        for events in folder.glob("events.out.tfevents.*"):
            events.unlink()
        self._writers[run.key] = SummaryWriter(folder)
        return True

    def add(self, run: Run, curves: Curves) -> None:
        for name, points in curves.items():
            for step, value in points.items():
                self._writers[run.key].add_scalar(name, value, step)
        self._writers[run.key].flush()

    def end(self, run: Run) -> None:
        writer = self._writers.pop(run.key)
        writer.add_text("run", _table({"state": run.state, **run.tags, **run.parameters}))
        for summary in hparams(dict(run.parameters), dict(run.metrics)) if run.parameters else ():
            writer._get_file_writer().add_summary(summary)  # add_hparams would make a run of its own
        for name, value in run.metrics.items():
            writer.add_scalar(name, value)
        for name, text in run.texts.items():
            if not name.endswith(".html"):
                writer.add_text(name, text if name.endswith(".md") else f"```\n{text}\n```")
        writer.close()
        (self._folder(run) / DONE).touch()

    def _folder(self, run: Run) -> Path:
        name = re.sub(r"[^\w.-]+", "-", f"{run.name}-{run.key[:8]}")
        return self.folder / run.suite / name


def _table(values: Mapping[str, object]) -> str:
    lines = [f"| {name} | {str(value).replace('|', '&#124;')} |" for name, value in values.items()]
    return "\n".join(["| | |", "|:--|:--|", *lines])
