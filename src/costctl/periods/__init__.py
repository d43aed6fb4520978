"""Time: the period a question is about, its zone, and the calendar's buckets.

Times are stored in UTC; every question has one zone. Periods are half-open, weeks begin on Monday, a day
lasts from the first instant of its date to the first of the next (23, 24 or 25 hours; none at all where a
zone skipped the date).
"""

from costctl.periods.buckets import Unit, bucket, bucket_label, buckets, time_of_day
from costctl.periods.calendar import day_start, instant_of, shifted, unit_start
from costctl.periods.period import Period, calendar_period, period
from costctl.periods.recurring import recurring
from costctl.periods.zones import PeriodError, offset_changes, zone, zone_names

__all__ = [
    "Period",
    "PeriodError",
    "Unit",
    "bucket",
    "bucket_label",
    "buckets",
    "calendar_period",
    "day_start",
    "instant_of",
    "offset_changes",
    "period",
    "recurring",
    "shifted",
    "time_of_day",
    "unit_start",
    "zone",
    "zone_names",
]
