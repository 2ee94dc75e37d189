"""The folder that workers share: fresh for each start, and nothing is left of it."""

import os
import shutil
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.monitoring.multiprocess_dir import LOCK, VARIABLE, Shared, folder, keep_none, remove_worker
from tests.service import environment

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from app.monitoring.multiprocess_dir import Shared\n"
    "made = Shared(Path(sys.argv[1])); print(made.path, flush=True); time.sleep(60)"
)


def test_a_folder_is_there_for_its_block_alone(tmp_path: Path) -> None:
    """Workers find it by Prometheus' variable; afterwards both are gone."""
    with closing(Shared(tmp_path)) as counts:
        made = counts.path
        assert str(made) == os.environ[VARIABLE]
        assert made == folder()
        assert tmp_path / "metrics" == made.parent
    assert not made.exists()
    assert folder() is None


def test_a_killed_service_leaves_nothing_for_long(tmp_path: Path) -> None:
    """The next start removes the folder of one that was killed, and not of one that runs."""
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        for _ in range(2)
    ]
    try:
        left, kept = (Path((one.stdout or sys.stdin).readline().strip()) for one in holders)
        holders[0].kill()
        holders[0].wait()
        with closing(Shared(tmp_path)) as made:
            assert {made.path.name, kept.name, "lock"} == {
                one.name for one in (tmp_path / "metrics").iterdir()
            }
            assert not left.exists()
    finally:
        for one in holders:
            one.kill()
            one.communicate()


def test_a_worker_that_ended_leaves_its_counts(tmp_path: Path) -> None:
    """What it said of itself is gone, and nothing of another worker's."""
    with closing(Shared(tmp_path)) as counts:
        made = counts.path
        for name in ("gauge_livesum_7.db", "gauge_livemax_7.db", "gauge_livesum_71.db"):
            (made / name).touch()
        for name in ("counter_7.db", "histogram_7.db"):
            (made / name).touch()
        remove_worker(7)
        left = {one.name for one in made.glob("*.db")}
    assert {"gauge_livesum_71.db", "counter_7.db", "histogram_7.db"} == left


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """Several workers do not start where they could not count."""
    (tmp_path / "metrics").touch()
    with pytest.raises(SettingsError, match="DUBITO_STATE"):
        Shared(tmp_path)


def test_a_folder_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    """In its place, where workers look for it, and marked: another service leaves it alone."""
    with closing(Shared(tmp_path)) as counts:
        assert not counts.restore()
        for removed in (counts.path, tmp_path / "metrics"):
            shutil.rmtree(removed)
            assert counts.restore()
            assert not counts.restore()
            with closing(Shared(tmp_path)) as other:
                assert counts.path.is_dir()
                assert other.path != counts.path
            os.environ[VARIABLE] = str(counts.path)
    assert not counts.path.exists()


def test_a_service_alone_counts_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the variable of another service says."""
    monkeypatch.setenv(VARIABLE, "/nowhere")
    keep_none()
    assert folder() is None


@pytest.mark.parametrize(("mode", "own"), [(0o770, 0o660), (0o700, 0o600), (0o755, 0o640)])
def test_the_next_user_of_the_group_goes_on(tmp_path: Path, mode: int, own: int) -> None:
    """Where the state is its group's, so is the folder in it, whatever the umask says."""
    tmp_path.chmod(mode)
    before = os.umask(0o077)
    try:
        Shared(tmp_path).close()
    finally:
        os.umask(before)
    parent = tmp_path / "metrics"
    assert (mode & 0o770, own) == (
        stat.S_IMODE(parent.stat().st_mode),
        stat.S_IMODE((parent / LOCK).stat().st_mode),
    )
