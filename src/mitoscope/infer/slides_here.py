"""The slides of a run on this machine: those that lie elsewhere are staged ahead of the search."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from mitoscope.errors import MitoscopeError
from mitoscope.infer.slide_list import ListedSlide
from mitoscope.remote import Ahead, Held, Location, Staging
from mitoscope.slide import fingerprint


class SlidesHere:
    """Opens the way to slides: a path on this machine, which stays as long as it is used.

    Parameters
    ----------
    slides : sequence of ListedSlide
        In the order in which they will be asked for; one that is not among them is staged when it is.
    staging : Staging, optional
        Where those that lie elsewhere are staged; by default that of the user.
    report : callable, optional
        Called with the address, the bytes that are there and all of them, while a slide is staged.
    """

    def __init__(
        self,
        slides: Sequence[ListedSlide] = (),
        *,
        staging: Staging | None = None,
        report: Callable[[Location, int, int], None] | None = None,
    ) -> None:
        self._given = staging
        self._held: dict[Location, Held] = {}
        self._places = [slide.address for slide in slides if slide.address is not None]
        self._ahead = Ahead(self._staging, self._places, report=report) if self._places else None

    @property
    def staging(self) -> Staging | None:
        """Where slides are staged; None as long as nobody said or asked."""
        return self._given

    @property
    def _staging(self) -> Staging:
        if self._given is None:
            self._given = Staging.of_user()
        return self._given

    @contextmanager
    def path_of(self, slide: ListedSlide) -> Generator[Path, None, None]:
        """Keep a slide on this machine while the block runs; errors name the place where it comes from.

        Raises
        ------
        RemoteError, UnreachableError, OutputError, ConfigError
            As `Staging.hold`.
        """
        if slide.address is None:
            yield slide.path
            return
        with self._hold(slide.address) as held:
            self._held[slide.address] = held
            try:
                yield held.path
            except MitoscopeError as error:
                raise _of_address(error, held.path, slide.address) from None
            finally:
                del self._held[slide.address]
            self._staging.remember(slide.address, held, fingerprint(held.path))

    def keeper(self, slide: ListedSlide) -> Callable[[], Held] | None:
        """Return what keeps a slide on the machine where it is called, while `path_of` keeps it on this one.

        It asks no server whether the slide has changed: it is the one that is searched. None where the slide
        does not lie elsewhere.
        """
        if slide.address is None or (held := self._held.get(slide.address)) is None:
            return None
        return partial(self._staging.hold, slide.address, members=held.members)

    def fingerprint_of(self, slide: ListedSlide) -> str | None:
        """Return the identity of a slide's content as it is now; None where that is not known without it.

        Raises
        ------
        SlideFormatError
            If a slide of this machine cannot be read.
        RemoteError, UnreachableError, ConfigError
            If one that lies elsewhere cannot be looked at.
        """
        if slide.address is None:
            return fingerprint(slide.path)
        return self._staging.remembered(slide.address)

    def skip(self, slide: ListedSlide) -> None:
        """Stage a slide no longer ahead: it will not be asked for."""
        if self._ahead is not None and slide.address in self._places:
            self._ahead.skip(self._places.index(slide.address))

    def _hold(self, location: Location) -> Held:
        if self._ahead is None or location not in self._places:
            return self._staging.hold(location)
        return self._ahead.take(self._places.index(location))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ahead is not None:
            self._ahead.close()


def _of_address(error: MitoscopeError, path: Path, location: Location) -> MitoscopeError:
    """Return an error of a staged file as one of the slide, whose place the user knows."""
    if error.where is None or str(path) not in error.where:
        return error
    moved = type(error)(error.what, where=error.where.replace(str(path), location.shown), mend=error.mend)
    vars(moved).update({name: value for name, value in vars(error).items() if name not in vars(moved)})
    return moved
