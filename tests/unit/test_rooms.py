"""The rooms of the project stay apart."""

from __future__ import annotations

from pathlib import Path

from tools.rooms import circles, imports, modules, trespasses, unused_doors, vague_names


def said(root: Path, files: dict[str, str]) -> list[str]:
    """What the checks say of a project that has these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = modules(root)
    made = imports(found, root)
    return [*circles(made), *trespasses(made), *vague_names(found, root)]


def test_this_project_keeps_them_apart() -> None:
    found = modules()
    made = imports(found)
    assert len(found) > 400
    assert len(made) > 1000
    assert [*circles(made), *trespasses(made), *vague_names(found), *unused_doors(found)] == []


def test_a_circle_of_modules_is_shown_with_the_lines_that_close_it(tmp_path: Path) -> None:
    files = {
        "localaws/glue/run.py": "from localaws.glue import mirror\n",
        "localaws/glue/mirror.py": "import json\n\n\ndef later() -> None:\n    from localaws.glue.run import job\n",
    }
    [circle] = said(tmp_path, files)
    assert circle.startswith("localaws.glue: ")
    assert "run imports mirror (localaws/glue/run.py:1)" in circle
    assert "mirror imports run (localaws/glue/mirror.py:5)" in circle


def test_packages_that_need_each_other_are_a_circle_though_their_modules_are_none(tmp_path: Path) -> None:
    files = {
        "localaws/moto/a.py": "import localaws.triggers.a\n",
        "localaws/triggers/a.py": "",
        "localaws/triggers/b.py": "from localaws.moto.b import thing\n",
        "localaws/moto/b.py": "",
    }
    [circle] = said(tmp_path, files)
    assert circle.startswith("localaws: ")
    assert "moto imports triggers (localaws/moto/a.py:1)" in circle


def test_a_package_and_what_it_is_made_of_are_no_circle(tmp_path: Path) -> None:
    files = {
        "lambdas/config/__init__.py": "from lambdas.config.data import Dataset\n",
        "lambdas/config/data.py": "",
        "lambdas/config/names.py": "from lambdas.config import Dataset\n",
    }
    assert said(tmp_path, files) == []


def test_who_may_import_whom(tmp_path: Path) -> None:
    files = {
        "lambdas/serving/recommend/handler.py": "from lambdas.aws import clients\nfrom lambdas.training.runs import lock\n",
        "lambdas/aws/clients.py": "",
        "lambdas/training/runs.py": "",
        "reco/deployment/train.py": "from localaws.environment import launch\n",
        "reco/local/running.py": "from localaws.environment import launch\n",
        "localaws/environment.py": "",
        "tests/unit/test_it.py": "from localaws.environment import launch\n",
    }
    training, local = said(tmp_path, files)
    assert training.startswith("lambdas/serving/recommend/handler.py:2: lambdas.serving may import lambdas.config, ")
    assert training.endswith("and not lambdas.training.runs.")
    assert local.startswith("reco/deployment/train.py:1: reco may import ")
    assert local.endswith("and not localaws.environment.")


def test_a_name_that_says_nothing_is_refused(tmp_path: Path) -> None:
    files = {"stacks/utils.py": "", "lambdas/shared/__init__.py": "", "reco/data/shared_costs.py": "", "glue/helpers.py": ""}
    assert [line.split(":")[0] for line in said(tmp_path, files)] == [
        "glue/helpers.py",
        "lambdas/shared/__init__.py",
        "stacks/utils.py",
    ]


def test_a_name_that_only_its_own_file_uses_begins_with_an_underscore_and_one_that_nobody_uses_goes(tmp_path: Path) -> None:
    shop = """SIZE = 1
_KIND: "Kind" = None


class Kind: ...


def sell() -> None: ...


def count() -> int:
    return SIZE if _KIND is None else 0


def patched() -> None: ...


def _forgotten() -> None: ...
"""
    files = {
        "localaws/shop.py": shop,
        "localaws/till.py": "from localaws import shop\nfrom localaws.shop import sell\n\n__all__ = []\nsell()\nshop.count()\n",
        "tests/test_till.py": "ROWS = 1\nOLD = 2\n\n\ndef test_patched():\n    patch('localaws.shop.patched', ROWS)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert unused_doors(modules(tmp_path), tmp_path) == [
        "localaws/shop.py:1: only this file uses 'SIZE': name it _SIZE.",
        "localaws/shop.py:5: only this file uses 'Kind': name it _Kind.",
        "localaws/shop.py:18: nobody uses '_forgotten': delete it.",
        "tests/test_till.py:2: nobody uses 'OLD': delete it.",
    ]
