"""Steps of remediations: actions and their parameters, as far as the configuration shows."""

import pytest

from agent.config import ladders
from agent.config.acting import StepOptions
from remediations.mode import Mode
from remediations.registry import ACTIONS
from tests.agent.config.fakes import loaded, problems, registries

REMEDIATION = """
[[remediations]]
name = "r"
match = ['alertname="Down"']
"""
RESTART = '{ action = "restart_unit", unit = "a.service" }'


def steps(*lines, more=""):
    return f"{more}\n{REMEDIATION}steps = [{', '.join(lines)}]"


def found(folder, *lines, more=""):
    return problems(folder, steps(*lines, more=more), **ACTIONS)


def test_a_ladder_keeps_parameters_apart_from_what_every_step_has(tmp_path):
    step = '{ action = "restart_unit", unit = "{{ $labels.name }}", timeout = "10s" }'
    (remediation,) = loaded(tmp_path, steps(step), **ACTIONS).remediations
    assert remediation.mode is Mode.OBSERVE
    assert remediation.steps == (
        StepOptions(action="restart_unit", timeout=10, parameters={"unit": "{{ $labels.name }}"}),
    )


def test_a_ladder_begins_no_higher_than_it_may_be_promoted(tmp_path):
    step = '{ action = "restart_unit", unit = "a.service" }'
    (message,) = problems(tmp_path, steps(step) + '\nmode = "auto"\nmax_mode = "approve"', **ACTIONS).values()
    assert message == "mode (auto) must not be above max_mode (approve)"
    assert problems(tmp_path, steps(step) + '\nmode = "approve"\nmax_mode = "approve"', **ACTIONS) == {}


def test_an_unknown_action_is_refused_with_the_nearest(tmp_path):
    message = "unknown action 'restart_unti'; did you mean 'restart_unit'?"
    assert found(tmp_path, '{ action = "restart_unti" }') == {"remediations[0].steps[0].action": message}


def test_a_missing_an_unknown_and_a_hostile_parameter_are_refused(tmp_path):
    assert list(found(tmp_path, '{ action = "restart_unit" }')) == ["remediations[0].steps[0]"]
    assert (
        "did you mean unit"
        in found(tmp_path, '{ action = "restart_unit", unit = "a.service", unti = "b" }').popitem()[1]
    )
    assert "must be a unit" in found(tmp_path, '{ action = "restart_unit", unit = "a; reboot" }').popitem()[1]


def test_the_program_of_a_command_is_never_a_template(tmp_path):
    assert found(tmp_path, '{ action = "restart_command", argv = ["/bin/{{ $labels.x }}"] }')
    assert not found(tmp_path, '{ action = "restart_command", argv = ["/bin/true", "{{ $labels.x }}"] }')


def test_a_script_must_lie_in_a_configured_directory(tmp_path):
    step = '{ action = "run_script", script = "mend.sh", arguments = ["{{ $labels.x }}"] }'
    (message,) = found(tmp_path, step).values()
    assert "no directory is configured" in message

    more = f'[guards]\nscript_dirs = ["{tmp_path}"]'
    assert found(tmp_path, step, more=more) == {}, "it may be mounted later"


@pytest.mark.parametrize("place", ["steps = [STEP]", f"steps = [{RESTART}]\ncompensate = STEP"])
def test_what_the_host_lacks_is_told_apart_from_what_the_file_has_wrong(tmp_path, place):
    step = '{ action = "run_script", script = "mend.sh", arguments = ["{{ $labels.x }}"] }'
    config = loaded(
        tmp_path,
        f'[guards]\nscript_dirs = ["{tmp_path}"]\n{REMEDIATION}{place.replace("STEP", step)}',
        **ACTIONS,
    )
    (lacking,) = ladders.unready(config, registries(**ACTIONS))
    assert lacking.path in {"remediations[0].steps[0]", "remediations[0].compensate"}
    assert lacking.message == f"script: mend.sh is in none of the script directories ({tmp_path})"
    (tmp_path / "mend.sh").write_text("#!/bin/sh\n")
    (tmp_path / "mend.sh").chmod(0o722)
    (lacking,) = ladders.unready(config, registries(**ACTIONS))
    assert "others may write" in lacking.message
    (tmp_path / "mend.sh").chmod(0o700)
    assert list(ladders.unready(config, registries(**ACTIONS))) == []


def test_files_are_deleted_below_configured_roots_only(tmp_path):
    step = '{ action = "free_space", root = "/srv/cache", patterns = ["*.log"], older_than = "1d" }'
    assert "not inside the roots" in found(tmp_path, step).popitem()[1]
    assert found(tmp_path, step, more='[guards]\nfree_space_roots = ["/srv"]') == {}


def test_a_mistake_elsewhere_in_a_remediation_does_not_hide_those_in_its_steps(tmp_path):
    places = found(tmp_path, '{ action = "restart" }', more="[[remediations]]\nsteps = [{ action = 3 }]")
    assert {"remediations[0].steps[0].action", "remediations[1].steps[0].action"} <= set(places)
