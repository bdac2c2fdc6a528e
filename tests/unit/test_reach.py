"""`make check` finds the tests that a change can break."""

from __future__ import annotations

import pytest

from tools.reach import reached


@pytest.mark.parametrize(
    ("file", "nearest", "also"),
    [
        ("lambdas/serving/recommend/apply_rules.py", "tests/unit/test_rules.py", "tests/unit/test_recommend.py"),
        ("stacks/batch.py", "tests/stacks/test_operations.py", "tests/stacks/test_templates.py"),
        ("statemachines/train.asl.yaml", "tests/stacks/test_definitions.py", "tests/e2e/test_training.py"),
        ("docs/serving.md", "tests/unit/test_docs.py", "tests/unit/test_docs.py"),
        ("glue/archive.py", "tests/glue/test_jobs.py", "tests/glue/test_jobs.py"),
        ("tests/unit/serving.py", "tests/unit/test_recommend.py", "tests/unit/test_recommend_outages.py"),
        ("tests/glue/conftest.py", "tests/glue/test_jobs.py", "tests/glue/test_jobs.py"),
    ],
)
def test_a_change_reaches_the_tests_that_use_it(file: str, nearest: str, also: str) -> None:
    found = reached([file])
    assert nearest in found[:8]
    assert also in found
    assert len(found) == len(set(found))


def test_a_test_reaches_itself_first() -> None:
    assert reached(["tests/unit/test_rules.py"]) == ["tests/unit/test_rules.py"]


def test_what_nothing_uses_reaches_nothing() -> None:
    assert reached(["".join(reversed("txt.erehwon"))]) == []  # this file names it in no other way
