"""Files dated in the future are dated now, and no other file is."""

import os
import time

from ftbench.base.dates import bring_back


def test_only_files_dated_in_the_future_are_dated_now_and_links_are_not_followed(tmp_path):
    now = time.time()
    dates = {"deep/tomorrow": 86_400, "next_year": 3e7, "skewed": 5, "yesterday": -86_400}
    (tmp_path / "study" / "deep").mkdir(parents=True)
    for name, ahead in dates.items():
        path = tmp_path / "study" / name
        path.touch()
        os.utime(path, (now + ahead,) * 2)
    users = tmp_path / "users_file"
    users.touch()
    os.utime(users, (now + 86_400,) * 2)
    (tmp_path / "study" / "link").symlink_to(users)

    found = bring_back([tmp_path / "study", tmp_path / "missing"])
    assert [path.name for path in found] == ["next_year", "tomorrow"]
    for name, ahead in dates.items():
        date = (tmp_path / "study" / name).stat().st_mtime
        assert abs(date - now - (ahead if ahead < 60 else 0)) < 60, name
    assert users.stat().st_mtime > now + 86_000
    assert bring_back([tmp_path / "study"]) == []
