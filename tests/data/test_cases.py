"""Sequences to classify: files, parts and batches."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.cases import made_cases, ts_text
from zoo.data.cases import Cases, cases
from zoo.data.prepare import prepare
from zoo.data.sources import load
from zoo.errors import InputError


def long_table(made: Cases) -> pd.DataFrame:
    frames = []
    for number in range(len(made)):
        frame = pd.DataFrame(made.sequence(number), columns=list(made.channels))
        frames.append(frame.assign(case=f"c{number:03}", kind=made.labels[number], day=range(len(frame))))
    return pd.concat(frames, ignore_index=True)


def same(one: Cases, other: Cases) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.lengths, other.lengths)
    np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize("steps", [(12, 12), (5, 12)])
def test_a_ts_file_a_long_table_and_arrays_give_the_same_cases(tmp_path, steps):
    made = made_cases(30, steps)
    (tmp_path / "made.ts").write_text(ts_text(made))
    same(made, load(tmp_path / "made.ts"))
    table = long_table(made)
    same(made, load(table, case="case", label="kind", time="day"))
    table.sample(frac=1, random_state=0).sort_values("day", kind="stable").to_csv(tmp_path / "made.csv", index=False)
    shuffled = load(tmp_path / "made.csv", case="case", label="kind", time="day")
    order = np.argsort(shuffled.names)
    for number, place in enumerate(order):
        np.testing.assert_array_equal(shuffled.sequence(int(place)), made.sequence(number))
        assert shuffled.labels[place] == made.labels[number]


def test_the_test_file_beside_a_train_file_is_the_test_part(tmp_path):
    train, test = made_cases(30), made_cases(21, seed=1)
    (tmp_path / "Made_TRAIN.ts").write_text(ts_text(train))
    (tmp_path / "Made_TEST.ts").write_text(ts_text(test))
    data = prepare(load(tmp_path / "Made_TRAIN.ts"))
    assert (len(data.train), len(data.valid), len(data.test)) == (22, 8, 21)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([data.train.names, data.valid.names]).astype(int)), range(1, 31)
    )
    assert set(data.test.names) == {f"test {number}" for number in range(1, 22)}
    (tmp_path / "other.ts").write_text(ts_text(test))
    chosen = load(tmp_path / "other.ts", test=tmp_path / "Made_TEST.ts")
    assert chosen.is_test.sum() == 21 and len(chosen) == 42


def test_parts_share_no_case_and_each_has_its_share_of_every_class():
    made = made_cases(100)
    data = prepare(made, split=(0.6, 0.2, 0.2))
    names = [set(part.names) for part in (data.train, data.valid, data.test)]
    assert [len(each) for each in names] == [60, 20, 20]
    assert len(set.union(*names)) == 100
    for part, count in ((data.train, 20), (data.valid, 20 / 3), (data.test, 20 / 3)):
        assert np.abs(np.bincount(part.labels, minlength=3) - count).max() < 1.5
    again = prepare(made, split=(60, 20, 20))  # as rows store them
    np.testing.assert_array_equal(again.test.names, data.test.names)
    sorted_by_class = Cases(**{**made.__dict__, **_ordered(made, np.argsort(made.labels, kind="stable"))})
    parts = prepare(sorted_by_class)
    assert np.bincount(parts.test.labels).min() >= 6  # whatever the order of the file


def _ordered(made: Cases, order: np.ndarray) -> dict:
    values = np.concatenate([made.sequence(int(number)) for number in order])
    return {"values": values, **{name: getattr(made, name)[order] for name in ("lengths", "labels", "names")}}


def test_nothing_of_validation_and_test_reaches_the_scaler():
    made = made_cases(60)
    data = prepare(made)
    train = {int(name) - 1 for name in data.train.names}
    steps = np.concatenate([made.sequence(number) for number in sorted(train)])
    np.testing.assert_allclose(data.scaler.center, steps.mean(axis=0))
    np.testing.assert_allclose(data.scaler.scale, steps.std(axis=0))
    x, _ = data.train.gather(torch.arange(3))
    for place, name in enumerate(data.train.names[:3]):
        expected = (made.sequence(int(name) - 1) - steps.mean(axis=0)) / steps.std(axis=0)
        np.testing.assert_allclose(x[place], expected, atol=1e-6)


def test_batches_hold_cases_of_one_length_and_every_case_once():
    data = prepare(made_cases(90, (5, 9)))
    lengths = data.train.lengths
    assert len(set(lengths)) > 2 and (np.diff(lengths) >= 0).all()
    order = data.train.order(torch.Generator().manual_seed(0))
    batches = data.train.split(order, 4)
    assert sorted(torch.cat(batches).tolist()) == list(range(len(data.train)))
    assert all(len(set(lengths[batch.numpy()])) == 1 and len(batch) <= 4 for batch in batches)
    assert [int(lengths[batch[0]]) for batch in batches] != sorted(lengths[batch[0]] for batch in batches)  # shuffled
    labels = torch.cat([y for _, y in data.train.batches(4)])
    np.testing.assert_array_equal(labels.numpy(), data.train.scaled_truth().numpy())


def test_without_test_the_steps_of_the_test_part_are_gone():
    data = prepare(made_cases(60, (5, 9)))
    rest = data.without_test()
    assert len(rest.test) == 0 and len(rest.train.values) == data.train.lengths.sum()
    for batch, other in zip(rest.train.batches(8), data.train.batches(8), strict=True):
        torch.testing.assert_close(batch, other)


def test_the_fingerprint_sees_values_labels_and_parts():
    made = made_cases(30)
    fields = made.__dict__
    labels = made.labels.copy()
    labels[0] = "flat"
    others = [
        Cases(**{**fields, "values": made.values + 1e-9}), Cases(**{**fields, "labels": labels}),
        Cases(**{**fields, "is_test": np.arange(30) >= 20}),
    ]  # fmt: skip
    prints = {prepare(each).fingerprint for each in [made, *others]}
    assert len(prints) == 4 and prepare(made).fingerprint in prints


def test_classes_that_are_numbers_stand_in_their_order():
    made = cases(np.zeros((4, 3)), [10, 9, 2, 10])
    assert made.classes == ("2", "9", "10")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: text.replace("@data", "@dato"), "holds no cases|begins with lines|line"),
        (lambda text: text.replace("@timeStamps false", "@timeStamps true"), "has a time in each value"),
        (lambda text: text.replace("@classLabel true", "@classLabel false"), "has no classes"),
        (lambda text: text.replace("0.", "zero.", 1), "line 6: values must be numbers"),
        (lambda text: text.replace(":", ",1.5:", 1), "line 6: the channels of a case must be equally long"),
        (lambda text: re.sub(r"@data\n[^,]+,", "@data\n?,", text), "case '1' of .* missing or infinite"),
        (lambda _: "# nothing\n", "holds no cases"),
    ],
)  # fmt: skip
def test_a_wrong_ts_file_is_refused_with_the_rule(tmp_path, change, rule):
    path = tmp_path / "made.ts"
    path.write_text(change(ts_text(made_cases(6, channels=2))))
    with pytest.raises(InputError, match=rule):
        load(path)


def test_a_wrong_table_or_setting_is_refused_with_the_rule():
    table = long_table(made_cases(12))
    for wrong, how, rule in (
        (
            table.assign(kind=["x"] + ["y"] * (len(table) - 1)),
            {},
            "case 'c000' of DataFrame has two classes, 'x' and 'y'",
        ),
        (table.assign(kind=None), {}, "column 'kind' of DataFrame is empty in data row 1"),
        (table, {"label": "sort"}, "unknown column 'sort' of DataFrame"),
        (table, {"case": None}, "label names the classes of cases: name the column that tells cases apart"),
        (table.assign(note="text"), {}, "note"),
        (table.drop(columns=["channel 1", "channel 2"]), {}, "no numeric column beside 'case' and 'kind'"),
    ):
        with pytest.raises(InputError, match=rule):
            load(wrong, **{"case": "case", "label": "kind", "time": "day", **how})
    made = made_cases(30)
    fixed = made.followed_by(made_cases(12, seed=1))
    for setting, rule in (
        ({"normalise": "lst"}, "unknown normalise 'lst'"),
        ({"split": (0, 0, 1)}, "split leaves no cases to train on"),
        ({"split": ("2020-01-01", "2021-01-01")}, "three shares or three numbers of cases"),
        ({"targets": ["channel 1"]}, "targets cannot be set for made"),
        ({"lookback": 5}, "lookback cannot be set for made"),
        ({"quantiles": (0.1, 0.5, 0.9)}, "quantiles cannot be set for made"),
        ({"normalise": "last"}, "a class has no last value"),
        ({"split": (0.02, 0.49, 0.49)}, "has no case in the train part"),
    ):
        with pytest.raises(InputError, match=rule):
            zoo.prepare(made, **setting)
    with pytest.raises(InputError, match="has 30 cases beside its test part of 12: split them as shares"):
        zoo.prepare(fixed, split=(20, 5, 12))
    assert len(zoo.prepare(fixed, split=(20, 10, 12)).test) == len(zoo.prepare(fixed, split=(20, 10, 0)).test) == 12
    with pytest.raises(InputError, match="all cases of arrays are of the class 'a': nothing to tell apart"):
        zoo.prepare(cases(np.zeros((4, 3)), ["a"] * 4))
    with pytest.raises(InputError, match="class 'new' of arrays is not in made"):
        made.followed_by(cases(np.zeros((2, 4, 2)), ["new", "flat"], channels=made.channels))


def test_a_time_that_begins_anew_in_each_case_orders_its_rows_and_is_no_channel():
    made = made_cases(20, (4, 6))
    for name in ("time", "step"):
        table = long_table(made).rename(columns={"day": name}).sample(frac=1, random_state=0)
        table = table.sort_values("case", kind="stable")
        found = load(table, case="case", label="kind")
        assert found.channels == made.channels
        same(found, made)
    table = long_table(made)
    dated = table.set_index(pd.Timestamp("2020-01-01") + pd.to_timedelta(table["day"], unit="D")).drop(columns="day")
    found = load(dated.sample(frac=1, random_state=1).sort_values("case", kind="stable"), case="case", label="kind")
    same(found, made)


def test_cases_without_classes_can_be_read_and_not_learned():
    table = long_table(made_cases(12)).drop(columns="kind")
    found = load(table, case="case", time="day")
    assert set(found.labels) == {""} and len(found) == 12
    with pytest.raises(InputError, match="are without a class: name its column with --label"):
        prepare(found)


def test_what_is_ambiguous_is_refused(tmp_path):
    made = made_cases(12)
    table = long_table(made)
    (tmp_path / "made.ts").write_text(ts_text(made))
    for call, rule in (
        (lambda: load(pd.concat([table, table]), case="case", label="kind", time="day"), "has two rows of one time"),
        (lambda: load(table.set_axis([*table.columns[:-1], "case"], axis=1), case="case", label="kind"), "two columns"),
        (lambda: load(tmp_path / "made.ts", time="day"), "time cannot be named for .*made.ts"),
        (lambda: load(tmp_path / "made.ts", test=tmp_path / "made.ts"), "cannot be both the data and the test part"),
        (lambda: cases([["x"], ["y"]], ["a", "b"]), "sequences must hold numbers"),
        (lambda: cases(np.zeros((2, 3)), ["a", "b"], names=["s", "s"]), "names must be different texts"),
        (lambda: cases(np.zeros((2, 3)), ["a", "b"], channels=["case"]).frame(), "need different names"),
    ):
        with pytest.raises(InputError, match=rule):
            call()


def test_chosen_channels_alone_are_prepared():
    made = made_cases(30)
    data = prepare(made, channels=["channel 2"])
    assert data.channels == ("channel 2",) and data.problem.channels == 1
    assert data.fingerprint != prepare(made).fingerprint
