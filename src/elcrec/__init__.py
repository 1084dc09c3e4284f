"""elcrec: next-item recommendation with learned intents (ELCRec).

The names below are the public ones; each is loaded when first used, so that importing the package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elcrec.process.threads import wait_briefly

if TYPE_CHECKING:
    from elcrec.config import Settings as Settings
    from elcrec.data.interactions import Interactions as Interactions
    from elcrec.data.pandas_tables import to_pandas as to_pandas
    from elcrec.errors import DataError as DataError
    from elcrec.errors import ElcrecError as ElcrecError
    from elcrec.errors import RunError as RunError
    from elcrec.errors import SettingsError as SettingsError
    from elcrec.errors import UnknownIdError as UnknownIdError
    from elcrec.recommender import ELCRec as ELCRec

_ROOMS = {
    "ELCRec": "elcrec.recommender",
    "Interactions": "elcrec.data.interactions",
    "Settings": "elcrec.config",
    "ElcrecError": "elcrec.errors",
    "DataError": "elcrec.errors",
    "RunError": "elcrec.errors",
    "SettingsError": "elcrec.errors",
    "UnknownIdError": "elcrec.errors",
    "to_pandas": "elcrec.data.pandas_tables",
}
__all__ = sorted(_ROOMS)

wait_briefly()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from elcrec.runs.run_files import package_version

        return package_version()
    if name not in _ROOMS:
        raise AttributeError(f"module 'elcrec' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_ROOMS[name]), name)
