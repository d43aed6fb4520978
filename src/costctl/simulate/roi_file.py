"""``roi.yaml``: an investment and what it saves. Its shape is ``costctl/schemas/roi.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from costctl.currency import USD
from costctl.simulate.roi_report import DISCOUNT_RATE, MONTHS, VOLUMES, Item

_SHARE = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,12})?)(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file or the options of a command say. ``saving`` may be the path of a report's JSON or of a
    plan.yaml; None is not said. ``rates``: how much of a currency one USD is. ``forecast`` is the path of a
    forecast's JSON."""

    investment: tuple[Item, ...] = ()
    saving: Item | Path | None = None
    running_cost: tuple[Item, ...] = ()
    rates: Mapping[str, Decimal] | None = None
    discount_rate: Decimal = DISCOUNT_RATE
    price_decay: Decimal = Decimal(0)
    months: tuple[int, ...] = MONTHS
    volumes: tuple[Decimal, ...] = VOLUMES
    claimed: Decimal | None = None
    forecast: Path | None = None

    @property
    def currencies(self) -> tuple[str, ...]:
        """Those that need a rate, in order."""
        saving = (self.saving,) if isinstance(self.saving, Item) else ()
        items = (*self.investment, *saving, *self.running_cost)
        return tuple(dict.fromkeys(item.currency for item in items if item.currency != USD))


def read(path: Path) -> Stated:
    """What ``path`` says. Raises :class:`costctl.documents.DocumentError` with every fault of the file."""
    from costctl.documents import read as read_document

    document = read_document(path, "roi")
    said: dict[str, Any] = document.data
    if USD in said.get("rates", ()):
        raise document.error(("rates", USD), "USD has no rate: results are in USD", "leave it out")
    volumes = tuple(map(share, said["volume"])) if "volume" in said else VOLUMES
    if min(volumes, default=Decimal(0)) < -1:
        number = volumes.index(min(volumes))
        message = f"volume[{number}]: there are no fewer calls than none"
        raise document.error(("volume", number), message, "as in -50%")
    return Stated(
        investment=_items(said.get("investment", [])),
        saving=_saving(said["saving"], path.parent) if "saving" in said else None,
        running_cost=_items(said.get("running_cost", [])),
        rates={currency: Decimal(rate) for currency, rate in said.get("rates", {}).items()},
        discount_rate=_fraction(said.get("discount_rate", DISCOUNT_RATE)),
        price_decay=_fraction(said.get("price_decay", 0)),
        months=tuple(sorted(said.get("months", MONTHS))),
        volumes=volumes,
        claimed=share(said["claimed"]) if "claimed" in said else None,
        forecast=path.parent / Path(said["forecast"]).expanduser() if "forecast" in said else None,
    )


def share(text: str) -> Decimal:
    """The fraction that ``10%`` or ``0.10`` says, with as many places as were said. Raises ValueError."""
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no share")
    return Decimal(found[1]).scaleb(-2 if found[2] else 0)


def _items(said: int | Decimal | list[dict[str, Any]]) -> tuple[Item, ...]:
    if isinstance(said, int | Decimal):
        return (Item(Decimal(said)),)
    return tuple(
        Item(Decimal(each["amount"]), each.get("name", ""), each.get("currency", USD)) for each in said
    )


def _saving(said: int | Decimal | str | dict[str, Any], directory: Path) -> Item | Path:
    if isinstance(said, str):
        return directory / Path(said).expanduser()
    if isinstance(said, dict):
        return Item(Decimal(said["amount"]), currency=said["currency"])
    return Item(Decimal(said))


def _fraction(said: int | Decimal | str) -> Decimal:
    return share(said) if isinstance(said, str) else Decimal(said)
