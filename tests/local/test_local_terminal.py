"""Bars and dots: for a person, and for nobody."""

from __future__ import annotations

import io

from nova_tx.local.terminal import Bar, Dots


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_fills() -> None:
    """Half done is half full, and all done is 100 %."""
    screen = Screen()
    now = iter([0.0, 1.0])
    bar = Bar("up", 200, screen, lambda: next(now), width=10)
    bar.show(100)
    bar.show(200)
    first, second = screen.getvalue().split("\r")[1:]
    assert first == "up [#####.....]  50%"
    assert second == "up [##########] 100%"


def test_a_bar_for_the_impatient_alone() -> None:
    """What is over before the time that a person waits gladly has no bar."""
    screen = Screen()
    now = [0.0]
    bar = Bar("up", 100, screen, lambda: now[0], patience=2.0)
    for each in (0.5, 1.9):
        now[0] = each
        bar.show(50)
    assert screen.getvalue() == ""
    now[0] = 2.1
    bar.show(60)
    assert screen.getvalue().count("\r") == 1


def test_a_bar_is_not_drawn_faster_than_eyes_are() -> None:
    """Two calls within a tenth of a second draw once; the last is always drawn."""
    screen = Screen()
    bar = Bar("up", 100, screen, lambda: 5.0)
    for done in (1, 2, 3, 100):
        bar.show(done)
    assert screen.getvalue().count("\r") == 2


def test_a_bar_of_nothing_does_not_divide_by_it() -> None:
    """A file of no bytes has a bar, too."""
    screen = Screen()
    Bar("up", 0, screen).show(0)
    assert "%" in screen.getvalue()


def test_a_bar_goes_without_a_trace() -> None:
    """After its end the line is empty."""
    screen = Screen()
    bar = Bar("up", 1, screen)
    bar.show(1)
    bar.end()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_nobody_looks_nothing_is_drawn() -> None:
    """Into a file no bar is written."""
    out = io.StringIO()
    bar = Bar("up", 1, out)
    bar.show(1)
    bar.end()
    assert out.getvalue() == ""


def test_dots_for_a_person() -> None:
    """A person sees the title at once, a dot a second, and the seconds at the end."""
    screen = Screen()
    time = [0.0]
    dots = Dots("boot", screen, lambda: time[0])
    for now in (0.3, 1.1, 1.5, 2.2):
        time[0] = now
        dots.tick()
    dots.end()
    assert screen.getvalue() == "boot..: 2.2 s\n"


def test_one_plain_line_for_a_log() -> None:
    """A log gets one line per step, with its seconds."""
    out = io.StringIO()
    time = [0.0]
    dots = Dots("boot", out, lambda: time[0])
    time[0] = 3.0
    dots.tick()
    dots.end("failed")
    assert out.getvalue() == "boot: failed, 3.0 s\n"
