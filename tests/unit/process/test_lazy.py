import subprocess
import sys

import pytest

from elcrec.process.lazy import LazyModule


def test_a_module_is_loaded_when_a_name_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from elcrec.process.lazy import LazyModule\n"
        "words = LazyModule('elcrec.data.words')\n"
        "before = 'elcrec.data.words' in sys.modules\n"
        "print(before, words.UNSPACED is sys.modules['elcrec.data.words'].UNSPACED)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_a_name_that_the_module_lacks_is_refused_in_its_name() -> None:
    with pytest.raises(AttributeError, match=r"module 'elcrec\.data\.words' has no attribute 'nonsense'"):
        _ = LazyModule("elcrec.data.words").nonsense
