"""Real processes on one lake in a folder: many at once, and one that is killed at any instant."""

import signal
from pathlib import Path

from tests.builders import executions as compacting
from tests.contract.commits import Put, compact_and_die, expected, forks, held, put, put_and_die, put_at_once
from tests.contract.places import folder_lake

MANY = 20


def test_commits_of_twenty_processes_to_one_experiment_lose_no_row(tmp_path: Path) -> None:
    lake_place = folder_lake(tmp_path)
    puts = [
        Put(f"n{n}", (n * 7) % MANY, ("shared", f"pair {n // 2}", *(f"own {n} {row}" for row in range(50))))
        for n in range(MANY)
    ]
    context = forks()
    barrier = context.Barrier(MANY)
    processes = [context.Process(target=put_at_once, args=(lake_place, some, barrier)) for some in puts]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0] * MANY
    assert held(lake_place) == expected(puts)
    assert len(held(lake_place)) == 1 + MANY // 2 + 50 * MANY


def test_a_commit_killed_at_any_step_leaves_the_old_rows_or_the_new(tmp_path: Path) -> None:
    lake_place = folder_lake(tmp_path)
    puts = [Put("first", 1, ("a", "b", "c"))]
    put(lake_place, puts[0])
    context = forks()
    outcomes = set()
    for step in range(1, 200):
        old = held(lake_place)
        puts.append(Put(f"n{step}", step, ("b", f"own {step}")))
        process = context.Process(target=put_and_die, args=(lake_place, puts[-1], step))
        process.start()
        process.join(timeout=120)
        new = expected(puts)
        assert held(lake_place) in (old, new)
        outcomes.add((process.exitcode, held(lake_place) == new))
        put(lake_place, puts[-1])
        assert held(lake_place) == new
        if process.exitcode == 0:
            break
    assert outcomes == {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, True)}


def test_compact_killed_before_or_after_any_commit_completes_when_run_again(tmp_path: Path) -> None:
    lake_place, context = compacting.TableLake(tmp_path), forks()
    for step in range(1, 20):
        execution = compacting.Execution(lake_place, f"run-{step}", step)
        execution.embed("embed-0", ["same.jpg", f"own {step}.jpg"])
        execution.records("00000", ["same", f"own {step}"])
        process = context.Process(target=compact_and_die, args=(execution, step))
        process.start()
        process.join(timeout=120)
        execution.compact()
        for name, column in (("embeddings", "image_path"), ("records", "record_id")):
            rows = lake_place.rows(name)
            assert len(rows) == 1 + step
            assert [row["uploaded_at"] for row in rows if row[column].startswith("same")] == [execution.when]
        if process.exitcode == 0:
            break
    assert (process.exitcode, step) == (0, 11)  # before and after each of five commits
