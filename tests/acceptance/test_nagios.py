"""A plugin's word in a whole daemon: it opens an incident, and starts an action only where its origin is listed."""

from tests.acceptance.daemon import prepared_daemon, repair, rule, rule_file

PLUGIN = """#!/bin/sh
if [ -e "$1" ]; then echo "CRITICAL: it is broken | depth=3MB;1;2"; exit 2; fi
echo "OK | depth=0MB;1;2"
"""
RULES = rule_file(rule("CheckCritical", "nagios_check_state == 2"), rule("Deep", "nagios_perfdata_value > 1e6"))


def test_a_critical_plugin_is_repaired_where_its_origin_is_listed_and_only_there(tmp_path):
    plugin, broken = tmp_path / "check_it", tmp_path / "broken"
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    broken.touch()
    check = {"name": "it", "argv": [str(plugin), str(broken)]}
    listed = repair("CheckCritical", ["/bin/rm", str(broken)], origins=["nagios"])
    unlisted = repair("Deep", ["/bin/touch", str(tmp_path / "never")])
    tables = {
        "collectors": {"nagios": {"interval": "1s", "timeout": "30s", "checks": [check]}},
        "remediations": [listed, unlisted],
    }
    with prepared_daemon(tables, RULES) as daemon:
        daemon.start()
        deep = daemon.await_incident("Deep", lambda incident: incident["escalated_reason"], check="it")
        assert "origin" in deep["escalated_reason"]
        fixed = daemon.await_state("CheckCritical", "resolved", 60.0, check="it")
        assert fixed["resolution"] == "fixed"
        assert not (tmp_path / "never").exists()


def test_a_plugin_that_hangs_delays_nobody_and_is_unknown(tmp_path):
    plugin = tmp_path / "check_hang"
    plugin.write_text("#!/bin/sh\nexec sleep 4242\n")
    plugin.chmod(0o755)
    checks = [{"name": "hang", "argv": [str(plugin)]}, {"name": "quick", "argv": ["/bin/false"]}]
    rules = rule_file(rule("Unknown", "nagios_check_state == 3"), rule("Warns", "nagios_check_state == 1"))
    tables = {"collectors": {"nagios": {"interval": "1s", "timeout": "2s", "checks": checks}}}
    with prepared_daemon(tables, rules) as daemon:
        daemon.start()
        daemon.await_state("Warns", "escalated", check="quick")
        daemon.await_state("Unknown", "escalated", 60.0, check="hang")
