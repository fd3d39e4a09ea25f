"""A viewer that is killed loses nothing that was shown as accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_viewer.py")
KILLS = 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_was_accepted_in_a_viewer_is_there_after_it_was_killed(kind: str) -> None:
    command = [sys.executable, str(PROGRAM), "--kills", str(KILLS), "--kind", kind]
    said = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    *viewers, last = map(json.loads, said.stdout.splitlines())
    assert len(viewers) == KILLS
    assert all(each["accepted"] for each in viewers)
    assert viewers[-1]["there"] >= viewers[0]["accepted"] + viewers[1]["accepted"]
    assert last["there"] >= sum(each["accepted"] for each in viewers)
