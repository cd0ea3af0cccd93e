"""Finds the rate behind a limiter that only says 429, and paces requests just below it. Pure.

Whatever limits requests (a token bucket, a fixed or a sliding window), even pacing at its mean rate
passes it; so one number is to be found. What congestion control has learnt applies here:

- *Slow start, from a measured floor* (TCP): after the first pause the pace doubles until the next
  refusal, so that a rate of any size is found in a few doublings.
- *Measure the delivery rate; do not guess it* (BBR): at a refusal the limiter is empty. What passed
  from one refusal to another, over the time between, is its rate, however large its burst is. So
  a refusal gives the rate itself, and no blind halving follows.
- *Stay long near the last limit, then leave it ever faster* (CUBIC): the pace starts a little below
  the rate, levels off at it, and after the plateau rises by a cube. A limit that still holds is
  touched rarely and gently; one that has doubled is found soon after the plateau.
- *Do not grow on a pace that is not used* (RFC 7661): time in which requests come more slowly than
  they may neither raises the pace nor counts in a measurement.

`Pacer` says when a pause is over and which request is the probe. Every time is in seconds of the
caller's clock.
"""

from __future__ import annotations

import math

SEARCH_DOUBLING = 0.15
"""Seconds in which the pace doubles as long as no rate is known."""

SHORTFALL = 0.02
"""How far below the measured rate the pace begins; it is there at the end of the plateau."""

STEEPNESS = 12.0
"""How fast the pace rises after the plateau: half a plateau later it is 2.5 times the rate."""

PLATEAU = 1.5
"""Seconds. Short, so that clients which share a limit soon share it evenly: the fastest of them is
refused most often, and the others rise meanwhile."""

PAUSES_PER_PLATEAU = 7.0
"""A pause that the limiter names is lost time, so it must be rare: less than a tenth is lost. With
the rise after it, a limit that has doubled is still found in less than 10 s if pauses last 1 s."""

REQUESTS_PER_PLATEAU = 4.0
"""A plateau lasts for at least so many requests; else the pace of a slow limit rises in jumps."""

FEWEST_PAUSES = 2.0
"""The same where the limit is shared: a refusal within the plateau says that the room has changed,
and that other clients use what a pause leaves. So it halves the plateau, down to this."""

LONGER = 1.5
"""How much longer, in pauses, the plateau is after one that has passed without a refusal."""

REFILLED = 0.9
"""How much of what a named pause has refilled is used at once. The rest is for other clients."""

RESERVE = 0.02
"""What a named pause has refilled also covers an estimate that is this much too high: so much of
what a plateau lets pass is not used at once."""

TOWARDS_REFUSED = 0.2
"""How far from the measured rate towards the refused pace the estimate goes after a rise, if the
limiter holds a second's requests; hardly at all if it holds few. A window that is in use has less
room than a burst, so the measurement is too low for it. Where no pause is named, too much costs
little."""

FEW = 16
"""Measured by fewer requests, a rate is off by more than a sixteenth: measuring continues, and
the pace falls by no more than to `BACKOFF` of what it was."""

KEPT = 0.4
"""How much of a measurement counts in the next one too, if the limiter holds more than a few. A
sliding window has little room for a while after a rise, so that a short measurement is too low. A
pause that the limiter names fills it up: then nothing is kept, or that would count twice."""

BACKOFF = 0.7
"""The share of the pace that stays after a refusal which measures little; 0.7 as in CUBIC."""

LONGEST_STEP = 60.0
"""Seconds: however slow a limit seems to be, one request a minute is sent to see."""

TARDY = 0.05
"""Seconds by which a request may start late, by timers and a busy machine, and count as paced."""


class RateFinder:
    """Knows no rate until the first refusal; then `rate` is its estimate, in requests a second.

    Call `started` for each request, `passed` or `refused` for its answer, and `resumed` as soon as
    the request that probes after a pause has passed.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        """Requests a second that the limiter has let pass, or None as long as it is not known."""
        self._searching = False
        self._last_pace = math.inf
        self._overrun = 0.0
        self._free = 0.0
        self._base = math.inf
        """The pace at which the search began, or that of the plateau."""
        self._plateau = PLATEAU
        self._pauses_per_plateau = PAUSES_PER_PLATEAU
        self._paced = 0.0
        """Seconds for which the pace has been in use since the last refusal."""
        self._next = -math.inf
        self._last = -math.inf
        # The measurement under way: what passed after one refusal, up to the newest.
        self._began = math.inf
        self._measured_from_refusal = False
        self._burst = 0.0
        self._taken = 0.0
        self._idle = 0.0
        self._ended: float | None = None
        """When the newest refused request started, from its refusal until the probe has passed."""
        self._first_refusal = math.inf
        self._since = 0
        """Requests that passed and started after the newest refusal."""
        self._resumed = math.inf

    @property
    def pace(self) -> float:
        """Requests a second that may start now; `inf` as long as nothing has been refused."""
        if self._searching:
            return self._base * math.exp2(min(self._paced / SEARCH_DOUBLING, 64.0))
        if self.rate is None:
            return math.inf
        way = self._paced / self._plateau - 1.0
        return self._base * (1.0 + (SHORTFALL if way < 0 else STEEPNESS) * way**3)

    def ready_at(self, now: float) -> float:
        """Return the time before which the pace allows no further request; `now` if it does."""
        return max(self._next, now)

    def skip(self, now: float) -> None:
        """Behave as if the wait for the next request had passed."""
        self._next = min(self._next, now)

    def started(self, now: float) -> None:
        """Note that a request starts."""
        self._began = min(self._began, now)
        if self.pace == math.inf or self._ended is not None:
            return
        late = now - self._next
        if late <= max(TARDY, self._step()):
            self._paced += max(now - self._last, 0.0)
        else:
            self._idle += late
        step = self._step()
        # What starts late may be made up for by one request, and not by a burst of them.
        if self._free >= 1.0:
            self._free -= 1.0
        else:
            self._next = max(self._next, now - step) + step
        self._last = now

    def passed(self, started: float) -> None:
        """Note that a request which started then has passed the limiter."""
        if self._ended is not None and started > self._ended:
            self._since += 1
        elif started >= self._began:
            self._taken += 1

    def refused(self, started: float, *, probe: bool) -> None:
        """Note that a request which started then has been refused."""
        if self._ended is None:
            self._ended = self._first_refusal = started
            # Others have started since, at a pace that had grown meanwhile.
            self._paced = max(self._paced - max(self._last - started, 0.0), 0.0)
            self._last_pace = self.pace
            self._overrun = self._paced / self._plateau - 1.0
        elif probe:
            # The limiter is still empty, so nothing has been lost to its being full.
            self._ended = max(self._ended, started)

    def resumed(self, now: float, *, started: float, named: float = 0.0) -> None:
        """Note that the probe after a pause, which started then, has passed: measure, and continue.

        `named` is how many seconds of pause the limiter asked for; 0.0 if the pause was a guess.
        """
        if self._ended is None:
            return
        ended, pause = self._ended, started - self._first_refusal
        cost = min(pause, named)
        if self.rate is not None:
            factor = 0.5 if self._overrun < 0 else LONGER
            wanted = self._pauses_per_plateau * factor
            self._pauses_per_plateau = min(max(wanted, FEWEST_PAUSES), PAUSES_PER_PLATEAU)
        seconds = max(self._first_refusal - self._began, 0.0)
        if self._measured_from_refusal:
            self._measure(ended, cost)
        # If nothing has passed, others have used the limit up: the next refusal tells of it.
        elif self._taken:
            self._burst = self._taken
            if seconds >= 1.0 and self._taken >= FEW:
                self._cruise(self._taken / seconds * 0.9, seconds, cost)
            else:
                # A limiter that names a time has room then; a guessed time may be just enough.
                room = self._taken if named else self._taken / 2
                self._searching = True
                self._base = max(room, 1.0) / max(pause, 0.01)
        if not self._measured_from_refusal or self._taken >= FEW:
            lasting = self._measured_from_refusal and self._burst >= FEW and not cost
            kept = KEPT if lasting else 0.0
            self._began = ended - kept * max(ended - self._began - self._idle, 0.0)
            self._taken, self._idle = kept * self._taken, 0.0
            self._measured_from_refusal = True
        self._taken += self._since
        self._since, self._ended = 0, None
        self._resumed = started
        self._paced = 0.0
        self._last = now
        self._free = 0.0
        # A pause that the limiter names is longer than it takes to free one place. What it frees is
        # lost unless it is used.
        if named:
            # The probe has used one place.
            room, reserve = self._burst - 1.0, 0.0
            if self.rate is not None:
                room = min(room, self.rate * pause - 1.0)
                reserve = RESERVE * self.rate * self._plateau
            self._free = max(min(REFILLED * room, room - reserve), 0.0)
        self._next = now + (0.0 if self._free >= 1 else self._step())

    def _measure(self, ended: float, cost: float) -> None:
        seconds = max(ended - self._began - self._idle, 1e-3)
        rate = max(self._taken, 1) / seconds
        if cost:
            # A long pause may have filled the limiter up: then what passed beyond a burst counts.
            active = max(self._first_refusal - self._resumed, SEARCH_DOUBLING)
            rate = max(rate, (self._taken - self._held) / active)
        if self._searching or self._overrun > 0:
            rate = max(rate, self._rate_overrun())
            if not self._searching and not cost:
                refused = min(self._last_pace, 2.0 * rate)
                part = TOWARDS_REFUSED * min(self._burst / rate, 1.0) ** 2
                rate += part * max(refused - rate, 0.0)
        if not self._searching and self._taken < FEW and self._last_pace < math.inf:
            rate = max(rate, BACKOFF * self._last_pace)
        rate = min(rate, (1.0 if self._searching else 0.95) * self._last_pace)
        self._cruise(rate, seconds, cost)

    def _rate_overrun(self) -> float:
        """Return the rate at which the rise would have used up a full burst by the refusal."""
        low, high = self._base, self._last_pace
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if self._excess(middle) > self._held else (low, middle)
        return low

    @property
    def _held(self) -> float:
        """Requests that a full limiter has let pass by a refusal, beyond its rate.

        A refusal leaves up to a whole request unused: half of one on average.
        """
        return max(self._burst, 1) - 0.5

    def _excess(self, rate: float) -> float:
        """Return how many requests a full limiter of that rate would have been overrun by."""
        if self._searching:
            e_fold = SEARCH_DOUBLING / math.log(2.0)
            return e_fold * (self._last_pace - rate - rate * math.log(self._last_pace / rate))
        end = self._overrun
        begin = math.cbrt((rate / self._base - 1.0) / STEEPNESS)
        area = (end**4 - begin**4) / 4 - begin**3 * (end - begin)
        return STEEPNESS * area * self._base * self._plateau

    def _cruise(self, rate: float, seconds: float, cost: float) -> None:
        self._searching = False
        self.rate = self._base = rate
        least = max(self._pauses_per_plateau * cost, REQUESTS_PER_PLATEAU / rate)
        self._plateau = max(min(2.0 * seconds, PLATEAU), least)

    def _step(self) -> float:
        """Return the seconds from one request to the next."""
        pace = self.pace
        if pace == math.inf:
            return 0.0
        if self._searching:
            # The time in which the growing pace adds up to one request.
            step = SEARCH_DOUBLING * math.log2(1.0 + math.log(2.0) / (pace * SEARCH_DOUBLING))
        else:
            step = 1.0 / pace
        return min(step, LONGEST_STEP)
