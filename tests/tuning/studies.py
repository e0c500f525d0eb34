"""Small studies that the tests of this room share."""

import json
import subprocess
import sys

import zoo
from tests.conftest import hears_ctrl_c
from zoo.space import Int

SMALL = zoo.FitConfig(max_epochs=2)
LITTLE = {"hidden_size": Int(4, 12), "fit.batch_size": Int(64, 256)}
QUICK = ("--fix", "max_epochs=3", "--fix", "hidden_size=4", "--fix", "batch_size=64", "--sampler", "random")


def tuned(data, name="lstm", **how):
    settings = {"trials": 4, "config": SMALL, "ranges": LITTLE if name == "lstm" else {}, **how}
    return zoo.tune(name, data, **settings)


def outcomes(result):
    """What must repeat, trial by trial: state, parameters, values, what was reported; not seconds."""
    return [
        (t.number, t.state.name, t.params, t.values, t.intermediate_values, t.user_attrs.get("best_epoch"))
        for t in result.study.trials
    ]


def trials_of(out):
    return [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]


def started(csv, out, *more):
    """A quick `zoo tune lstm` of its own, in its own process group."""
    command = [sys.executable, "-m", "zoo.cli", "tune", "lstm", csv, "--targets", "close", "--out", out, *QUICK, *more]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip
