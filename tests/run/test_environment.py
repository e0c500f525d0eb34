import re

from zoo.run import environment


def test_machine_and_versions_are_named():
    machine = environment.machine("cpu")
    assert machine["cpu"]
    assert machine["cores"] == environment.usable_cores() >= 1
    assert re.fullmatch(r"\w+ [\w-]+", machine["system"])
    assert environment.versions()["torch"].startswith("2.")
    assert set(environment.versions()) == {"python", *environment.PACKAGES}


def test_commit_is_a_hash_or_none():
    commit = environment.commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
