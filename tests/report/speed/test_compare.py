import json
import re
import subprocess
import sys

import pytest

from tests.conftest import run_zoo_here
from tests.rows import ACCURACY
from tests.throughput import rows
from zoo import cli
from zoo.errors import InputError
from zoo.report.comparison import sentences, summary
from zoo.report.speed_compare import compare
from zoo.stats.intervals import table_level
from zoo.stats.timings import ratio_interval

ASKED = {
    "variant": "lstm", "params": {"hidden_size": 64}, "phase": "train", "device": "cpu", "dtype": "float32",
    "batch_size": 64, "lookback": 30, "channels": 5, "horizon": 1, "threads": 1, "normalise": "last", "mode": "eager",
}  # fmt: skip


def speed_row(seconds=0.001, *, medians=None, **fields):
    """The line of a row with 5 passes of 3 repeats around the seconds of a step, or with passes of these medians; its
    settings make its key."""
    settings = ASKED | {name: value for name, value in fields.items() if name in ASKED}
    batch = settings["batch_size"]
    medians = medians or [seconds * (1 + k / 1000) for k in (-2, -1, 0, 1, 2)]
    repeats = [[median * (1 + k / 1000), 1e-4] for median in medians for k in (-1, 0, 1)]
    row = rows.speed_row(seconds=seconds).model_dump(mode="json")
    return {
        **row,
        "key": json.dumps(settings, sort_keys=True),
        **settings,
        "batch_measured": 4096 if batch == "max" else batch,
        "repeats": [seconds for seconds, _ in repeats],
        "all_repeats": repeats,
        "passes": [3] * len(medians),
        "machine": {"cpu": "Ryzen", "cores": 2, "system": "Linux x86_64"},
        "versions": {"torch": "2.8.0"},
        "commit": "a" * 40,
    } | fields


def failed_row(error, **fields):
    return speed_row(**fields) | dict.fromkeys(rows.MEASURED) | {"error": error}


def folder(path, lines):
    path.mkdir()
    (path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def compared(tmp_path):
    """The comparison of two lists of rows."""
    return lambda old, new: compare(folder(tmp_path / "old", old), folder(tmp_path / "new", new))


@pytest.fixture
def zoo_compare(tmp_path, monkeypatch, capsys):
    """zoo compare on two lists of rows, in this process: (exit code, stdout, stderr)."""

    def call(old, new, *options):
        folders = [folder(tmp_path / name, rows) for name, rows in (("old", old), ("new", new))]
        monkeypatch.setattr(sys, "argv", ["zoo", "compare", *map(str, folders), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return call


def test_half_the_time_is_twice_the_throughput(compared):
    (change,) = compared([speed_row(0.002)], [speed_row(0.001)]).changes
    assert (change.old, change.new) == (pytest.approx(64 / 0.002, rel=1e-5), pytest.approx(64 / 0.001, rel=1e-5))
    assert change.gain == pytest.approx(1)
    assert 0.97 < change.interval[0] < change.gain < change.interval[1] < 1.03
    assert (change.verdict(0.05), change.verdict(0.99), change.verdict(1)) == ("better", "better", "within")


def test_twice_the_time_is_slower(compared):
    (change,) = compared([speed_row(0.001)], [speed_row(0.002)]).changes
    assert change.gain == pytest.approx(-0.5)
    assert (change.verdict(0.05), change.verdict(0.49), change.verdict(0.51)) == ("worse", "worse", "within")


def test_change_says_what_was_measured_and_how_sure_it_is(compared):
    old, new = [1.0, 1.01, 1.02, 1.04], [1.8, 1.81, 1.83]
    comparison = compared([speed_row(medians=old)], [speed_row(medians=new)])
    (change,) = comparison.changes
    ratio = ratio_interval(new, old, table_level(1))  # of times: the other way round
    assert (change.gain, *change.interval) == pytest.approx((ratio.value - 1, ratio.low - 1, ratio.high - 1))
    assert change.sample == "4, 3"
    plain = summary(comparison, 0.05)["rows"][0]
    assert {name: plain[name] for name in ASKED} == ASKED
    assert (plain["low"], plain["high"], plain["verdict"]) == (*change.interval, "worse")
    assert "p" not in plain


def test_rows_that_met_a_busy_machine_never_pass(zoo_compare):
    old = [speed_row(0.001, lookback=lookback) for lookback in (1, 2, 3, 4)]
    new = [speed_row(0.001 / 0.64, lookback=lookback, is_calm=False) for lookback in (1, 2, 3, 4)]
    code, printed, _ = zoo_compare(old, new, "--fail-on", "5%")
    assert code == 3
    assert "4 of 4 undecided: the machine was busy in NEW (4)." in printed
    assert "None of" not in printed


def test_a_line_that_is_slower_outweighs_one_that_is_undecided(compared):
    old = [speed_row(0.001, lookback=lookback) for lookback in (10, 20)]
    new = [speed_row(0.001, lookback=10, is_calm=False), speed_row(0.002, lookback=20)]
    comparison = compared(old, new)
    assert [change.verdict(0.05) for change in comparison.changes] == ["undecided", "worse"]
    assert (comparison.exit_code(0.05), comparison.exit_code(0.6)) == (1, 3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({"medians": [1.0, 1.1]}, {}, "fewer than 3 calm passes in OLD"),
        ({"medians": [1.0]}, {"medians": [1.0]}, "fewer than 3 calm passes in OLD and NEW"),
        ({"all_repeats": None, "passes": None}, {}, "fewer than 3 calm passes in OLD"),
        ({"is_calm": False}, {"medians": [1.0]}, "the machine was busy in OLD; fewer than 3 calm passes in NEW"),
    ],
)
def test_too_few_passes_decide_nothing(compared, old, new, reason):
    (change,) = compared([speed_row(**old)], [speed_row(**new)]).changes
    assert (change.verdict(0.9), change.interval, change.undecided) == ("undecided", None, reason)


def test_repeats_beside_a_slow_reference_are_no_part_of_a_pass(compared):
    old = speed_row(medians=[1.0, 1.01, 1.02])
    busy = [[9.0, 1.2e-4]] * 3
    calm = old["all_repeats"]
    new = old | {"all_repeats": [*busy, *calm[:3], *busy, *calm[3:]], "passes": [6, 6, 3]}
    (change,) = compared([old], [new]).changes
    assert change.gain == pytest.approx(0) and change.sample == "3, 3"


def test_repeats_of_one_process_are_no_evidence(compared):
    # Each pass at its own speed: the repeats of OLD and NEW lie apart in two passes of three.
    old, new = speed_row(medians=[1.0, 1.2, 1.05]), speed_row(medians=[1.2, 1.04, 1.25])
    (change,) = compared([old], [new]).changes
    assert change.gain < -0.05 and change.verdict(0.05) == "unclear"


def test_a_change_among_many_is_held_to_all_of_them(compared):
    lookbacks = range(1, 101)
    old = [speed_row(lookback=lookback) for lookback in lookbacks]
    (first, *_) = compared(old, old).changes
    rates = [64 / (0.001 * (1 + k / 1000)) for k in (-2, -1, 0, 1, 2)]
    assert first.interval[1] == pytest.approx(ratio_interval(rates, rates, table_level(100)).high - 1, rel=1e-6)


def test_small_change_is_within_the_threshold_however_sure(compared):
    comparison = compared([speed_row(0.001)], [speed_row(0.00104)])
    assert comparison.changes[0].interval[1] < 0
    assert [comparison.changes[0].verdict(share) for share in (0.05, 0.02)] == ["within", "worse"]


def test_changes_stand_fastest_first(compared):
    lookbacks = (10, 20, 30)
    old = [speed_row(0.001, lookback=lookback) for lookback in lookbacks]
    new = [
        speed_row(seconds, lookback=lookback) for seconds, lookback in zip((9e-4, 2e-3, 1e-3), lookbacks, strict=True)
    ]
    assert [change.details["lookback"] for change in compared(old, new).changes] == [10, 30, 20]


def test_largest_batch_that_fits_is_compared_by_window(compared):
    old = speed_row(0.001, batch_size="max", batch_measured=512)
    new = speed_row(0.0018, batch_size="max", batch_measured=1024)
    (change,) = compared([old], [new]).changes
    assert (change.details["old_batch"], change.details["new_batch"]) == (512, 1024)
    assert 1 + change.gain == pytest.approx((1024 / 0.0018) / (512 / 0.001))
    assert change.verdict(0.05) == "better"


def test_last_line_of_a_key_and_speed_rows_alone_count(compared):
    accuracy = ACCURACY
    comparison = compared([speed_row(0.004), accuracy, speed_row(0.001)], [accuracy, speed_row(0.001)])
    assert [change.gain for change in comparison.changes] == [0]
    assert comparison.only_old == comparison.only_new == []


def test_rows_that_one_folder_lacks_are_counted_and_named(compared):
    old = [speed_row(), *(speed_row(lookback=lookback, phase="infer") for lookback in range(1, 12))]
    new = [speed_row(), speed_row(mode="compile")]
    comparison = compared(old, new)
    assert len(comparison.changes) == 1
    assert comparison.only_new == ["lstm, compile, training at batch 64, lookback 30"]
    printed = sentences(comparison, 0.05)
    assert printed[-1] == "Only in NEW (1): lstm, compile, training at batch 64, lookback 30."
    assert printed[-2].startswith("Only in OLD (11): lstm, inference at batch 64, lookback 1; ")
    assert printed[-2].endswith("lookback 8 and 3 more.")
    assert comparison.exit_code(0.05) == 0


def test_failed_rows_are_named_with_the_side_they_failed_on(compared):
    sizes = [{"lookback": lookback} for lookback in (1, 2, 3, 4)]
    old = [speed_row(), speed_row(**sizes[0]), failed_row("out of memory", **sizes[1]), failed_row("a", **sizes[2])]
    new = [speed_row(), failed_row("lost", **sizes[0]), speed_row(**sizes[1]), failed_row("b", **sizes[2])]
    comparison = compared(old, new)
    assert len(comparison.changes) == 1
    assert comparison.failed == ["lstm, training at batch 64, lookback 1 (lost)"]
    assert comparison.apart == [
        "lstm, training at batch 64, lookback 2 (failed in OLD: out of memory)",
        "lstm, training at batch 64, lookback 3 (failed in OLD: a)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (speed_row(), failed_row("lost"), 1),
        (failed_row("lost"), speed_row(), 0),
        (failed_row("lost"), failed_row("lost"), 0),
    ],
)
def test_only_failing_in_new_alone_is_worse(compared, old, new, code):
    assert compared([old], [new]).exit_code(0.5) == code


def test_sentences_count_what_changed(compared):
    seconds = [1e-3] * 17 + [1.2e-3, 1.3e-3, 0.5e-3]
    old = [speed_row(1e-3, lookback=1 + number) for number in range(20)]
    new = [speed_row(second, lookback=1 + number) for number, second in enumerate(seconds)]
    name = "lstm, training at batch 64, lookback"
    assert sentences(compared(old, new), 0.05) == [
        f"1 of 20 better in NEW by more than 5 %, by more than chance: {name} 20.",
        f"2 of 20 worse in NEW by more than 5 %, by more than chance: {name} 18; {name} 19.",
    ]


def test_what_else_differs_between_the_folders_is_said(compared):
    old = [speed_row(lookback=lookback) for lookback in (1, 2)]
    machine = {"cpu": "Xeon", "cores": 2, "system": "Linux x86_64"}
    new = [row | {"machine": machine, "versions": {"torch": "2.9.1"}, "commit": "b" * 40 + "-dirty"} for row in old]
    assert compared(old, new).notes == [
        "OLD and NEW differ in commit (aaaaaaaaaaaa in OLD, bbbbbbbbbbbb-dirty in NEW).",
        "OLD and NEW differ in cpu (Ryzen in OLD, Xeon in NEW), torch (2.8.0 in OLD, 2.9.1 in NEW): "
        "a ratio compares more than code.",
    ]


def test_rows_of_other_code_are_compared_and_named(compared):
    code = {"kind": "zoo", "name": "zoo.models", "sha256": "d" * 64}
    comparison = compared([speed_row(0.001)], [speed_row(0.002, code=code, key="other")])
    assert [change.verdict(0.05) for change in comparison.changes] == ["worse"]
    assert comparison.notes == ["OLD and NEW ran different code of lstm."]


def test_alike_folders_need_no_note(tmp_path):
    old = folder(tmp_path / "old", [speed_row(commit=None)])
    assert compare(old, old).notes == []


def test_row_that_fell_back_to_another_mode_in_one_folder_is_said(compared):
    old = speed_row(mode="cuda-graph")
    notes = compared([old], [old | {"fallback": "cuda-graph: no; measured eager"}]).notes
    name = "lstm, cuda-graph, training at batch 64, lookback 30"
    assert notes == [f"{name} was measured in another mode in NEW alone (cuda-graph: no; measured eager)."]


def test_variants_carry_the_settings_that_tell_them_apart(compared):
    both = [speed_row(params={"hidden_size": size, "dropout": 0.0}) for size in (64, 128)]
    both += [speed_row(variant="naive", params={}), speed_row(variant="naive", params={}, channels=1)]
    labels = {change.label.split(", ")[0] for change in compared(both, both).changes}
    assert labels == {"lstm (hidden_size=64)", "lstm (hidden_size=128)", "naive (channels=5)", "naive (channels=1)"}


def test_rows_that_cannot_be_read_are_left_out_and_named(tmp_path):
    lacking = speed_row(lookback=7)
    del lacking["repeats"], lacking["mode"]
    old = folder(tmp_path / "old", [speed_row(), lacking | {"key": "b" * 64}])
    (old / "rows.jsonl").write_text((old / "rows.jsonl").read_text() + '{"key": "c", "er')
    new = folder(tmp_path / "new", [speed_row(), speed_row(lookback=8) | {"key": "d", "repeats": [0.0]}])
    assert compare(old, new).notes == [
        f"{old}: rows.jsonl line 2: key 'mode' is missing; the line is left out",
        f"{old}: rows.jsonl line 3: not a row (EOF while parsing a string at line 1 column 16); the line is left out",
        f"{new}: rows.jsonl line 2: repeats.0 must be > 0, got 0.0; the line is left out",
    ]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ([], [speed_row()], r"no rows in .*old.rows.jsonl: run zoo speed --out .*old first"),
        ([speed_row()], [], r"no rows in .*new.rows.jsonl: run zoo speed --out .*new first"),
        ([ACCURACY], [speed_row()], r"no speed rows in .*old.*: compare two folders of zoo speed"),
        ([speed_row()], [speed_row(phase="infer")], r"no cell of .*new is in .*old too \(phase is train in OLD, infer"),
        ([speed_row()], [speed_row(threads=2)], r"\(threads is 1 in OLD, 2 in NEW\): run zoo speed with the same set"),
        ([{"kind": "speed", "key": "x"}], [speed_row()], r"no rows in .*old.rows.jsonl \(.* line 1: .*left out\)"),
    ],
)  # fmt: skip
def test_folders_that_cannot_be_compared_are_refused_by_name(compared, old, new, rule):
    with pytest.raises(InputError, match=rule):
        compared(old, new)


def test_absent_folder_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"no rows in .*nowhere.rows.jsonl: run zoo speed --out .*nowhere first"):
        compare(tmp_path / "nowhere", folder(tmp_path / "new", [speed_row()]))


def test_command_prints_the_table_and_the_sentences_and_fails_beyond_the_threshold(tmp_path):
    old = folder(tmp_path / "old", [speed_row(0.001, lookback=1), speed_row(0.001, lookback=2)])
    new = folder(tmp_path / "new", [speed_row(0.001, lookback=1), speed_row(0.002, lookback=2, commit="c" * 40)])
    ended = run_zoo_here("compare", old, new, "--fail-on", "5%")
    assert ended.returncode == 1
    assert ended.stderr == "note: OLD and NEW differ in commit (aaaaaaaaaaaa in OLD, cccccccccccc in NEW).\n"
    lines = [line for line in ended.stdout.splitlines() if line.startswith("│ lstm")]
    assert [line.split("│")[4].strip() for line in lines] == ["+0.00", "-50.00"]
    assert [line.split("│")[6].strip() for line in lines] == ["within", "worse"]
    assert "1 of 2 worse in NEW by more than 5 %, by more than chance: lstm, training at batch 64, lookback 2." in (
        ended.stdout
    )
    assert run_zoo_here("compare", old, new).returncode == 0
    same = run_zoo_here("compare", new, new, "--fail-on", "0%")
    assert (same.returncode, same.stderr) == (0, "")


@pytest.mark.parametrize(("text", "code"), [("5%", 1), ("5 %", 1), ("0.05", 1), ("25%", 0), ("0.25", 0), ("0", 1)])
def test_threshold_is_a_percentage_or_a_share(zoo_compare, text, code):
    assert zoo_compare([speed_row(0.001)], [speed_row(0.00125)], "--fail-on", text)[0] == code


def test_row_that_fails_in_new_alone_fails_the_command_only_where_asked(zoo_compare, tmp_path):
    code, printed, _ = zoo_compare([speed_row(lookback=7)], [failed_row("lost", lookback=7)], "--fail-on", "50%")
    assert code == 1
    assert "Failed in NEW alone (1): lstm" in printed
    assert run_zoo_here("compare", tmp_path / "old", tmp_path / "new").returncode == 0


@pytest.mark.parametrize("text", ["5", "1", "100%", "-5%", "nan", "five", "", "%", "5%%"])
def test_bad_threshold_is_one_line_and_exit_code_2(zoo_compare, text):
    code, printed, error = zoo_compare([speed_row()], [speed_row()], f"--fail-on={text}")
    assert (code, printed) == (2, "")
    assert error == f"zoo: --fail-on takes a share below 1, such as 5% or 0.05, got '{text}'\n"


def test_folder_without_speed_rows_is_one_line_and_exit_code_2(zoo_compare):
    code, printed, error = zoo_compare([ACCURACY], [speed_row()])
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert error.startswith("zoo: no speed rows in ")


def test_table_shows_the_twenty_most_changed_rows_unless_all_are_asked_for(zoo_compare, tmp_path):
    old = [speed_row(1e-3, lookback=100 + number) for number in range(30)]
    # One much slower, one much faster, and 28 that change the less the later they stand.
    seconds = [4e-3, 0.2e-3, *(1e-3 * (1.5 - number / 100) for number in range(28))]
    new = [speed_row(second, lookback=100 + number) for number, second in enumerate(seconds)]
    code, printed, _ = zoo_compare(old, new)
    shown = re.findall(r"lookback (\d+)", printed.split("passes: calm")[0])
    assert (code, shown) == (0, ["101", *(str(100 + number) for number in range(19, 1, -1)), "100"])
    assert "These are the 20 largest of 30 changes; --all shows all." in printed
    whole = run_zoo_here("compare", tmp_path / "old", tmp_path / "new", "--all").stdout
    assert sum(line.startswith("│ lstm") for line in whole.splitlines()) == 30
    assert "largest of" not in whole


def test_json_holds_every_row_and_the_summary(zoo_compare):
    old = [speed_row(lookback=1 + number) for number in range(25)] + [speed_row(mode="compile")]
    new = [speed_row(0.002, lookback=1), *old[1:25], speed_row(mode="cuda-graph")]
    code, printed, _ = zoo_compare(old, new, "--json", "--fail-on", "10%")
    comparison = json.loads(printed)
    assert code == 1
    assert [row["verdict"] for row in comparison["rows"]] == ["within"] * 24 + ["worse"]
    assert comparison["rows"][-1]["gain"] == pytest.approx(-0.5)
    counts = {"within": 24, "worse": 1, "better": 0, "unclear": 0, "undecided": 0}
    assert (counts | {"median_gain": 0, "threshold": 0.1}).items() <= comparison["summary"].items()
    assert comparison["summary"]["only_old"] == ["lstm, compile, training at batch 64, lookback 30"]
    assert comparison["summary"]["only_new"] == ["lstm, cuda-graph, training at batch 64, lookback 30"]


def test_narrow_terminal_keeps_the_columns_that_name_a_row_and_its_verdict(zoo_compare, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr("zoo.cli.compare.table_console", lambda: Console(width=80))
    _, printed, _ = zoo_compare([speed_row()], [speed_row()])
    assert all(word in printed for word in ("lookback 30", "within", "A wider terminal shows more columns"))
    assert "old windows/s" not in printed
    assert max(map(len, printed.splitlines()[:5])) <= 80


@pytest.mark.process
def test_commands_of_compare_leave_torch_and_its_help_leaves_numpy_alone(tmp_path):
    same = folder(tmp_path / "same", [speed_row()])
    for arguments, heavy in (([str(same), str(same)], {"torch"}), (["--help"], {"torch", "numpy", "scipy"})):
        script = (
            "import sys; from zoo.cli import main\n"
            f"sys.argv = {['zoo', 'compare', *arguments]!r}\n"
            "try: main()\n"
            "except SystemExit as end: code = end.code or 0\n"
            f"print('loaded', sorted({heavy!r} & set(sys.modules)), code)"
        )
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert ended.stdout.splitlines()[-1] == "loaded [] 0"
