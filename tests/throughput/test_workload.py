"""What is timed is what fit does, on inputs that are never zero and never the same twice in a row."""

import pytest
import torch

from tests.throughput.test_cells import cells_of
from tests.throughput.test_cost import cell_of
from zoo.registry import list_models
from zoo.throughput.workload import Workload


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_variant_runs_every_phase_in_every_width(name, dtype):
    for cell in cells_of(models=[name], dtype=[dtype]):
        work = Workload(cell, int(cell.batch_size), seed=0)
        try:
            work.run()
        except RuntimeError as error:
            if dtype == "bfloat16" and "could not create a primitive" in str(error):
                pytest.skip("this CPU has no bfloat16 recurrences")
            raise
        finally:
            work.close()
        assert work.mode.name == "eager"


def test_inputs_rotate_and_are_nowhere_zero():
    work = Workload(cell_of("lstm", batch_size=4), 4, seed=0)
    seen = []
    work.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for _ in range(3):
        work.run()
    work.close()
    assert len({x.data_ptr() for x in seen}) == 3
    assert all(x.count_nonzero() == x.numel() for x in seen)


def test_no_weight_is_left_at_zero():
    work = Workload(cell_of("lstm", batch_size=4), 4, seed=0)
    assert all(parameter.count_nonzero() > 0 for parameter in work.model.parameters())
    work.close()


def test_a_training_step_moves_every_weight_and_its_parts_are_the_step():
    whole, parts = (Workload(cell_of("lstm", "train", batch_size=4), 4, seed=0) for _ in range(2))
    before = [parameter.detach().clone() for parameter in whole.model.parameters()]
    whole.run()
    for part in parts.parts:
        part()
    for old, a, b in zip(before, whole.model.parameters(), parts.model.parameters(), strict=True):
        assert not torch.equal(old, a)
        assert torch.equal(a, b)
    parts.close()  # the last that was opened first: their settings are nested
    whole.close()


def test_narrow_inference_runs_in_narrow_weights():
    work = Workload(cell_of("lstm").model_copy(update={"dtype": "bfloat16"}), 8, seed=0)
    work.run()
    assert {parameter.dtype for parameter in work.model.parameters()} == {torch.bfloat16}
    work.close()


def test_closing_gives_back_what_the_process_was_set_to():
    before = torch.backends.cudnn.allow_tf32
    work = Workload(cell_of("lstm"), 8, seed=0)
    assert torch.is_inference_mode_enabled()
    work.close()
    assert not torch.is_inference_mode_enabled()
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_training_step_takes_subnormals_as_zero_as_training_does():
    for phase, is_zero in (("train", True), ("infer", False)):
        work = Workload(cell_of("lstm", phase=phase, batch_size=4), 4, seed=0)
        assert (torch.tensor(1e-39) * 1 == 0) == is_zero
        work.close()
        assert torch.tensor(1e-39) * 1 != 0
