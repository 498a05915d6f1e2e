"""Redmine 5 on SQLite on a loopback port: one private project, an account for us and one for somebody else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.service import (
    Server,
    Service,
    answers,
    cached,
    free_port,
    hand_over,
    need,
    private_directory,
    run_once,
    started,
)

USER, PASSWORD = "paramedic", "0123456789abcdef0123456789abcdef01234567"
"""The password is the API key."""
ADMIN_USER, ADMIN_KEY = "admin", "fedcba9876543210fedcba9876543210fedcba98"
PROJECT = "operations"
ONE_WAY_TRACKER = "Support"
"""We may not re-open its issues."""
PACKAGED = Path("/usr/share/redmine")
GEMS = Path("/usr/share/rubygems-integration/all/specifications")
DATABASE = "production:\n  adapter: sqlite3\n  database: <%= ENV.fetch('REDMINE_DATABASE') %>\n  timeout: 10000\n"

# The account has what our manual asks for and no more.
SEED = f"""
Setting.rest_api_enabled = '1'
Setting.text_formatting = 'textile'
admin = User.find_by_login('{ADMIN_USER}')
admin.must_change_passwd = false
admin.save!(validate: false)
project = Project.create!(
  name: 'Operations', identifier: '{PROJECT}', is_public: false, tracker_ids: Tracker.pluck(:id),
  enabled_module_names: ['issue_tracking'])
role = Role.create!(name: 'Agent', permissions: [:view_issues, :add_issues, :edit_issues, :add_issue_notes])
Tracker.all.each do |tracker|
  IssueStatus.all.to_a.permutation(2).each do |old, new|
    next if tracker.name == '{ONE_WAY_TRACKER}' and old.is_closed
    WorkflowTransition.create!(tracker: tracker, role: role, old_status: old, new_status: new)
  end
end
agent = User.new(firstname: 'Agent', lastname: 'Ours', mail: 'agent@tracker.test', language: 'en')
agent.login = '{USER}'
agent.password = agent.password_confirmation = 'open-sesame-redmine'
agent.save!
Member.create!(project: project, principal: agent, roles: [role])
{{ admin => '{ADMIN_KEY}', agent => '{PASSWORD}' }}.each do |user, key|
  Token.where(user: user, action: 'api').destroy_all
  Token.create!(user: user, action: 'api').update_column(:value, key)
end
"""


@contextmanager
def running_redmine() -> Iterator[Server]:
    """Run a Redmine with nothing in its project. Its database is made once (15 s) and copied."""
    bundle = need("bundle", "redmine redmine-sqlite ruby-webrick ruby-bundler")
    version = PACKAGED / "lib" / "redmine" / "version.rb"
    if not version.exists():
        pytest.skip("needs the package redmine (tests/services/install)")
    made = cached("redmine", version.read_text(), SEED, make=lambda directory: _make(bundle, directory))
    with private_directory("redmine") as directory:
        shutil.copytree(made / "app", directory / "app", symlinks=True)
        shutil.copy(made / "redmine.sqlite3", directory)
        hand_over(*directory.rglob("*"))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        argv = (bundle, "exec", "rackup", "-E", "production", "-s", "webrick", "-o", "127.0.0.1", "-p", str(port))
        service = Service(
            argv=(*argv, "config.ru"),
            directory=directory / "app",
            ready=lambda: answers(f"{url}/issues.json?key={PASSWORD}"),
            environment=_environment(directory),
        )
        with started(service):
            yield Server(url=url, port=port, service=service, user=USER, password=PASSWORD)


def _environment(directory: Path) -> dict[str, str]:
    # Debian's own bundler: the one that comes with Ruby takes Debian's gems for deleted ones.
    (bundler,) = GEMS.glob("bundler-*.gemspec")
    return {
        "HOME": str(directory),
        "RAILS_ENV": "production",
        "REDMINE_LANG": "en",
        "REDMINE_DATABASE": str(directory / "redmine.sqlite3"),
        "BUNDLER_VERSION": bundler.stem.removeprefix("bundler-"),
    }


def _make(bundle: str, directory: Path) -> None:
    """Make a tree that runs without what the package's set-up would have done, and a database with our accounts."""
    app = directory / "app"
    # Rails resolves links, and the packaged tree is read-only for us, so it runs from a copy.
    shutil.copytree(PACKAGED, app, ignore=shutil.ignore_patterns("instances", "Gemfile.lock", "database.yml"))
    with (app / "Gemfile").open("a") as gemfile:
        gemfile.write("\ngem 'webrick'\n")
    instance = app / "instances" / "default"
    for name in ("config", "log", "tmp/cache", "files", "public/plugin_assets"):
        (instance / name).mkdir(parents=True)
    for folder in (app / "config", instance / "config"):
        (folder / "database.yml").write_text(DATABASE)
    (instance / "config" / "secret_key.txt").write_text("f00d" * 16)
    (directory / "seed.rb").write_text(SEED)
    hand_over(*directory.rglob("*"))
    for task in (("rake", "db:migrate"), ("rake", "redmine:load_default_data"), ("rails", "runner", "../seed.rb")):
        run_once((bundle, "exec", *task), app, _environment(directory))
