"""The worker of accuracy cells: `python -m zoo.run.worker`, started by zoo.run.executor."""

from pathlib import Path

from zoo.run.accuracy import measure
from zoo.run.serving import Hear, Message, Say, serve
from zoo.suite import Cell
from zoo.train.fit import Epoch


def measured(request: Message, say: Say, _: Hear) -> Message:
    """The row of the cell in a request; each epoch is an event."""
    fields = request["cell"]
    cell = Cell(**{**fields, "tags": tuple(fields["tags"])})

    def on_epoch(epoch: Epoch) -> None:
        say({"epoch": epoch.number, "valid_loss": epoch.valid_loss, "train_loss": epoch.train_loss})

    return measure(cell, Path(request["out"]), request["context"], on_epoch)


if __name__ == "__main__":
    serve(measured)
