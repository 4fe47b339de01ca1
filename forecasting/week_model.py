"""What a week's nights share: the learner, the blend and its spread, kept under ``models/`` of the home folder.

Learning is what a night's forecast costs, and a day more of history hardly changes what is learnt. So it is learnt as
of the last day of a week, and the nights after it forecast with it: newest history and features, same model. A model
counts only when every file is as its manifest says (a damaged one can kill LightGBM) and it was learnt with the same
settings, from the same history where it was learnt on this very run date.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.version import code_version
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.fitting import Fitted
from forecasting.intervals import Calibration
from forecasting.learner import Learner
from forecasting.selection import Choice

__all__ = ["Stamp", "WeekModel", "digest_of", "read_week_model", "stamp_of", "write_week_model"]

_PLACE = Path("models") / "weeks"
_KEPT = 8  # models: reruns of the last weeks find theirs
_BOOSTER, _LEARNT, _ACCURACY, _ERRORS = "booster.txt", "learnt.json", "accuracy.parquet", "errors.parquet"


@dataclass(frozen=True)
class WeekModel:
    """What the history taught.

    Attributes:
        learner: None where the shop has too little history for one.
        fitted: blend weights and calibration.
        accuracy: ``forecast_accuracy`` of the last window before.
        errors: sku, location_id, wape, bias, n_windows of the same window.
    """

    learner: Learner | None
    fitted: Fitted
    accuracy: pl.DataFrame
    errors: pl.DataFrame


@dataclass(frozen=True)
class Stamp:
    """By what a kept model is known.

    Attributes:
        as_of: last day whose demand taught it.
        settings: hash of the settings and the code that taught it.
        run_date: run that learnt it.
        history: hash of what it learnt from.
    """

    as_of: date
    settings: str
    run_date: date
    history: str


def stamp_of(inputs: Inputs, *, as_of: date, run_date: date, config: ForecastConfig, seed: int) -> Stamp:
    """Return the stamp of the model that ``inputs``, cut to ``as_of``, would teach."""
    taught_by = config.model_dump(mode="json", exclude={"workers"}) | {
        "seed": seed,
        "code": code_version(),
        "room": _sources(),
    }
    settings = hashlib.sha256(json.dumps(taught_by, sort_keys=True).encode()).hexdigest()
    return Stamp(as_of, settings, run_date, digest_of(inputs))


@cache
def _sources() -> str:
    """Return a hash of this room's code: features of edited code do not fit a booster that older code taught."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def digest_of(inputs: Inputs) -> str:
    """Return a hash of the history that teaches."""
    found = hashlib.sha256()
    for values in (inputs.panel.demand, inputs.panel.teaches, inputs.targets):
        found.update(np.ascontiguousarray(values).view(np.uint8).data)
    found.update("\n".join(inputs.panel.keys["sku"].to_list()).encode())
    return found.hexdigest()


def read_week_model(home: Path, stamp: Stamp) -> WeekModel | None:
    """Return the kept model that this stamp may use, or None where there is none, or it is damaged."""
    folder = home / _PLACE / stamp.as_of.isoformat()
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = {name: (folder / name).read_bytes() for name in manifest["files"]}
        learnt = json.loads(files[_LEARNT])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    damaged = any(hashlib.sha256(content).hexdigest() != manifest["files"][name] for name, content in files.items())
    if damaged or manifest["settings"] != stamp.settings:
        return None
    if manifest["run_date"] == stamp.run_date.isoformat() and manifest["history"] != stamp.history:
        return None  # what this very run learnt from was repaired since
    return WeekModel(
        learner=_learner(learnt["learner"], files[_BOOSTER]) if learnt["learner"] else None,
        fitted=_fitted(learnt["fitted"]),
        accuracy=pl.read_parquet(files[_ACCURACY]) if _ACCURACY in files else pl.DataFrame(),
        errors=pl.read_parquet(files[_ERRORS]),
    )


def write_week_model(home: Path, model: WeekModel, stamp: Stamp) -> None:
    """Keep the model in one step; an older one of the same date makes way, and so do those of long ago."""
    place = home / _PLACE
    folder, draft = place / stamp.as_of.isoformat(), place / f".{stamp.as_of.isoformat()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    learner = model.learner
    if learner is not None:
        (draft / _BOOSTER).write_text(learner.booster.model_to_string(), encoding="utf-8")
    described = None if learner is None else {k: v for k, v in vars(learner).items() if k != "booster"}
    learnt = {"learner": described, "fitted": _plain(model.fitted)}
    (draft / _LEARNT).write_text(json.dumps(learnt, ensure_ascii=False), encoding="utf-8")
    if model.accuracy.height:
        model.accuracy.write_parquet(draft / _ACCURACY)
    model.errors.write_parquet(draft / _ERRORS)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(draft.iterdir())}
    manifest = {**asdict(stamp), "as_of": stamp.as_of.isoformat(), "run_date": stamp.run_date.isoformat()}
    (draft / "manifest.json").write_text(json.dumps({**manifest, "files": files}, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    for old in sorted(path for path in place.iterdir() if not path.name.startswith("."))[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _learner(described: Mapping[str, Any], text: bytes) -> Learner:
    import lightgbm as lgb

    return Learner(booster=lgb.Booster(model_str=text.decode()), **described)


def _plain(fitted: Fitted) -> dict[str, Any]:
    """Return the fitted weights and calibrations as JSON has them."""
    return {
        **{name: value for name, value in vars(fitted).items() if not isinstance(value, Calibration)},
        "choices": {name: asdict(choice) for name, choice in fitted.choices.items()},
        "calibration": _cells(fitted.calibration),
        "total_calibration": _cells(fitted.total_calibration),
    }


def _cells(calibration: Calibration) -> dict[str, Any]:
    cells = [[name, number, levels.tolist()] for (name, number), levels in calibration.levels.items()]
    cases = [[name, number, count] for (name, number), count in calibration.cases.items()]
    return {"levels": cells, "fallback": calibration.fallback.tolist(), "cases": cases}


def _fitted(plain: Mapping[str, Any]) -> Fitted:
    return Fitted(
        **{
            **plain,
            "choices": {name: Choice(**choice) for name, choice in plain["choices"].items()},
            "calibration": _calibration(plain["calibration"]),
            "total_calibration": _calibration(plain["total_calibration"]),
        }
    )


def _calibration(plain: Mapping[str, Any]) -> Calibration:
    def levels(values: list[float]) -> NDArray[np.float64]:
        return np.array(values, dtype=np.float64)

    return Calibration(
        {(str(name), int(number)): levels(values) for name, number, values in plain["levels"]},
        levels(plain["fallback"]),
        {(str(name), int(number)): int(count) for name, number, count in plain["cases"]},
    )
