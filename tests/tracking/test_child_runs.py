"""Runs inside a stage's run: their parent, their owner, and how they end."""

import pytest

from svg_quality.tracking.child_runs import begin_child, child_run, end_child, end_left_behind
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.processes import Owner
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.termination import Terminated

WORK = Work("search", {}, {}, {}, "0")


def test_a_child_names_its_parent_and_its_owner() -> None:
    with stage_run(WORK) as parent:
        child = begin_child(parent, "trial 3", {"loss": {"point": "mae"}}, {"optuna.trial": "3"})
        child.log_metrics({"mae": 0.5})
        end_child(child, "FINISHED")
        parent.set_output("1")
    found = parent.client.get_run(child.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "trial 3"
    assert found.data.tags["mlflow.parentRunId"] == parent.run_id
    assert found.data.tags["owner.pid"] == str(Owner.current().pid)
    assert found.data.tags["optuna.trial"] == "3"
    assert found.data.params == {"settings.loss.point": "mae"}
    assert found.data.metrics == {"mae": 0.5}
    assert newest_finished("search").run_id == parent.run_id


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (Terminated(), "KILLED")],
)
def test_a_child_ends_as_its_block_does(error: BaseException, status: str) -> None:
    with stage_run(WORK) as parent:
        with pytest.raises(type(error)), child_run(parent, "fold 0", {}, {}) as child:
            raise error
        with child_run(parent, "fold 1", {}, {}) as well:
            pass
    found = parent.client.get_run(child.run_id)
    assert found.info.status == status
    assert found.data.tags["error"].startswith(type(error).__name__)
    assert parent.client.get_run(well.run_id).info.status == "FINISHED"


def test_one_left_behind_is_ended_once() -> None:
    with stage_run(WORK) as parent:
        child = begin_child(parent, "trial 0", {}, {})
        end_left_behind(child.run_id, "its process died")
        assert parent.client.get_run(child.run_id).info.status == "KILLED"
        done = begin_child(parent, "trial 1", {}, {})
        end_child(done, "FINISHED")
        end_left_behind(done.run_id, "its process died")
    found = parent.client.get_run(done.run_id)
    assert (found.info.status, "error" in found.data.tags) == ("FINISHED", False)
