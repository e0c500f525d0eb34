"""Workers on CUDA get one GPU each; a fake count stands in for the GPUs."""

import os
from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from tests.conftest import run_zoo_here
from tests.run.test_process import echo  # noqa: F401  a fixture
from zoo.errors import InputError
from zoo.run import gpus
from zoo.run.executor import groups, run
from zoo.run.process import WorkerProcess, default_jobs
from zoo.suite import Suite, expand
from zoo.tuning.crew import crew_here


@pytest.fixture(autouse=True)
def three_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(gpus, "_workers", Counter())
    monkeypatch.setenv(gpus.VISIBLE, "")  # so that it is put back, whatever a test leaves
    monkeypatch.delenv(gpus.VISIBLE)


def test_a_worker_takes_the_gpu_that_has_the_fewest():
    assert default_jobs("cuda") == 3
    assert [gpus.take() for _ in range(4)] == ["0", "1", "2", "0"]
    gpus.give_back("1")
    assert [gpus.take() for _ in range(3)] == ["1", "1", "2"]


def test_without_a_gpu_there_is_none_to_take(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert gpus.take() is None and default_jobs("cuda") == 1


@pytest.mark.process
def test_a_worker_sees_its_gpu_alone_until_it_is_closed(echo, monkeypatch):  # noqa: F811
    monkeypatch.setenv(gpus.VISIBLE, "5, GPU-7f,2,9")  # CUDA counts three: one of them does not exist
    one, two, neither = echo(device="cuda"), echo(device="cuda"), echo()
    seen = [worker.ask({}, lambda _: None)["environment"][gpus.VISIBLE] for worker in (one, two, neither)]
    assert seen == ["5", "GPU-7f", "5, GPU-7f,2,9"]
    one.close()
    one.close()
    assert [echo(device="cuda").gpu for _ in range(3)] == ["5", "2", "5"]


def test_the_variants_of_a_suite_and_the_trials_of_a_study_go_to_all_gpus(monkeypatch, tmp_path, data):
    """The seeds of a variant stay together, in one CUDA graph of one GPU."""
    suite = Suite(name="s", data={"source": "sine", "targets": ["value"]}, run={"models": ["lstm", "gru"], "seeds": 4})
    cells = [cell.model_copy(update={"device": "cuda"}).keyed() for cell in expand(suite, device="cpu")[0]]
    assert [len(group) for group in groups(cells)] == [4, 4]
    asked, taken, take = [], [], gpus.take
    monkeypatch.setattr(gpus, "take", lambda: taken.append(take()) or taken[-1])

    def ask(worker, request, **_):
        asked.append((worker.gpu, {cell.variant for cell in request["cells"]}))
        return {"rows": [SimpleNamespace(cell=cell) for cell in request["cells"]]}

    monkeypatch.setattr(WorkerProcess, "ask", ask)
    store = SimpleNamespace(folder=tmp_path, append=lambda _: None)
    assert len(run(cells, store, jobs=None, context={})) == 8
    assert all(len(variants) == 1 for _, variants in asked) and {gpu for gpu, _ in asked} <= {"0", "1"}
    assert taken == ["0", "1"]  # a worker for each variant
    plan = SimpleNamespace(data=data, device="cuda")
    with crew_here(plan, 3) as (workers, _):
        assert {worker.gpu for worker in workers} == {"0", "1", "2"}  # those of the suite have given theirs back
        for worker in workers:
            worker.close()


def test_a_command_on_one_gpu_sees_no_other(monkeypatch):
    assert [gpus.see_only(device) for device in ("auto", "cuda", "mps")] == ["auto", "cuda", "mps"]
    assert gpus.VISIBLE not in os.environ
    assert (gpus.see_only("cuda:2"), os.environ[gpus.VISIBLE]) == ("cuda", "2")
    monkeypatch.setenv(gpus.VISIBLE, "5,GPU-7f")
    assert (gpus.see_only("cuda:1"), os.environ[gpus.VISIBLE]) == ("cuda", "GPU-7f")
    with pytest.raises(InputError, match="cuda:1 is not among the GPUs that CUDA_VISIBLE_DEVICES names: GPU-7f"):
        gpus.see_only("cuda:1")
    with pytest.raises(InputError, match="cuda:N .*, got cuda:one"):
        gpus.see_only("cuda:one")
    with pytest.raises(InputError, match="cuda:N"):
        gpus.see_only("cuda:٣")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
@pytest.mark.parametrize("command", ["bench sine", "fit lstm sine", "tune lstm sine", "speed --models lstm"])
def test_a_gpu_that_is_not_there_is_named(monkeypatch, tmp_path, command):
    monkeypatch.setenv(gpus.VISIBLE, "5")
    ended = run_zoo_here(*command.split(), "--device", "cuda:0", "--out", tmp_path / "out")
    assert ended.returncode == 2 and "not available with CUDA_VISIBLE_DEVICES=5" in ended.stderr, ended.stderr
    assert ended.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
