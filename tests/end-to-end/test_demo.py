# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/demo shows of the hand-over, on the lab and in a browser."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demolib import film, judge, page  # noqa: E402
from demolib.browser import Browser  # noqa: E402
from demolib.story import differences, four  # noqa: E402
from lablib.host import STEPS  # noqa: E402


def test_demo(host, tmp_path):
    """The page of a real hand-over: pictures, steps and owners are those that there were."""
    story = film.perform(host)
    host.assert_has_gpu()
    assert story.failed == ""

    looks = " ".join(shot.look for shot in story.shots)
    # the console may say something while it is there, and desktop and guest draw piece by piece
    assert re.fullmatch(r"desktop( black| text| other)+ guest( black| text| other)+"
                        r"( desktop( black| text| other)+)* desktop", looks)

    desktop, dark, guest, again = four(story)
    assert (desktop.owners[0].gpu, desktop.owners[0].desktop) == ("i915", "lightdm")
    assert differences(desktop.owners[0], again.owners[-1]) == ""
    assert dark.owners[-1].gpu == "vfio-pci"
    assert (guest.owners[0].gpu, guest.owners[0].guest) == ("vfio-pci", "painter")
    assert guest.owners[0].audio == guest.owners[0].console == guest.owners[0].desktop == ""

    path = tmp_path / "index.html"
    path.write_text(page.make(story), encoding="utf-8")
    with Browser() as browser:
        assert judge.all_faults(browser, path) == []
        browser.open(path, 1280)
        said = browser.ask("[...document.querySelectorAll('li p')].map(e => e.textContent)")
    steps = [f"gpu-guest-{step}.service" for step in STEPS]
    for word, order in ("Finished", steps), ("Stopped", steps[::-1]):
        units = [line.split()[1] for line in said if line.startswith(f"{word} gpu-guest-")]
        assert [unit for unit in units if unit in steps] == order
