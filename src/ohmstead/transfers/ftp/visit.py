"""One FTP control connection: who signs in has one file before them, in one direction, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, OhmsteadError
from ohmstead.stations.files.links import Claim
from ohmstead.stations.files.model import FileJob
from ohmstead.stations.files.names import safe_name
from ohmstead.stations.files.spool import NoRoom, TooLarge
from ohmstead.transfers.ftp import words
from ohmstead.transfers.ftp.channel import BrokenOff, Channel, NoPort, Pace, give, pieces

SIGN_IN_WITHIN_S = 30.0
IDLE_S = 120.0
MOST_BAD_PASSWORDS = 3
MOST_COMMANDS = 1000
_CODES: Final[Mapping[type[OhmsteadError], int]] = {
    NoPort: 425,
    BrokenOff: 426,
    Conflict: 450,
    ExternalFailure: 451,
    NoRoom: 452,
    Invalid: 501,
    NotFound: 550,
    TooLarge: 552,
}
Answer: TypeAlias = tuple[int, str]


class Refused(OhmsteadError):
    """No, with a code of FTP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class House(Protocol):
    """What a visit needs of the door."""

    passive_ports: range
    passive_address: str | None
    bytes_per_s: int

    def context(self) -> ssl.SSLContext | None:
        """TLS for a new connection; None where there is none."""

    async def sign_in(self, user: str, password: str, address: str) -> tuple[Claim, FileJob]:
        """The job that the credentials are for. Raises Refused."""

    async def job_still(self, claim: Claim, address: str) -> FileJob:
        """The job, if the credentials are still good. Raises Refused."""

    async def size_of(self, claim: Claim, job: FileJob) -> int:
        """How long the file is, or how much of it is here. Raises NotFound."""

    def read(self, job: FileJob, first: int) -> AsyncIterator[bytes]:
        """The file from a byte on. Raises NotFound."""

    async def given(self, job: FileJob) -> None:
        """The file was fetched to its end."""

    async def take(self, job: FileJob, name: str, first: int, source: AsyncIterator[bytes], address: str) -> None:
        """Keep what comes, from a byte on. Raises Conflict, Invalid, TooLarge, NoRoom, BrokenOff."""


class Visit:
    """One control connection, from greeting to goodbye."""

    def __init__(self, house: House, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._house = house
        self._reader = reader
        self._writer = writer
        self.address: str = writer.get_extra_info("peername")[0]
        self._context: ssl.SSLContext | None = None  # of this connection, once it is encrypted
        self._is_private = False  # data connections, too
        self._user = ""
        self._n_bad = 0
        self._claim: Claim | None = None
        self._job: FileJob | None = None
        self._channel: Channel | None = None
        self._first = 0
        self._is_over = False

    @property
    def is_signed_in(self) -> bool:
        """Did they show good credentials?"""
        return self._job is not None

    async def run(self, *, is_implicit: bool) -> None:
        """Talk until one side has enough. Lines are never logged: passwords are in them."""
        try:
            if is_implicit:
                context = self._house.context()
                assert context is not None
                await self._encrypt(context)
                self._is_private = True
            await self._say(220, "Ohmstead")
            for _ in range(MOST_COMMANDS):
                line = await self._line()
                if line is None:
                    return
                await self._obey(line)
                if self._is_over:
                    return
            await self._say(421, "too many commands")
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            pass  # whoever was here has gone
        finally:
            await self._shut()
            self._writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(5):
                    await self._writer.wait_closed()

    async def _line(self) -> bytes | None:
        try:
            async with asyncio.timeout(IDLE_S if self._job is not None else SIGN_IN_WITHIN_S):
                return await self._reader.readuntil(b"\n")
        except TimeoutError:
            await self._say(421, "nothing was said for long")
        except asyncio.LimitOverrunError:
            await self._say(500, "the line is too long")
        except asyncio.IncompleteReadError:
            pass
        return None

    async def _obey(self, line: bytes) -> None:
        said = words.read(line)
        if said is None:
            await self._say(500, "that is no command")
            return
        try:
            if said.word in _BEFORE:
                answer = await _BEFORE[said.word](self, said.argument)
            elif said.word in _AFTER:
                if self._job is None:
                    raise Refused(530, "sign in first")
                answer = await _AFTER[said.word](self, said.argument)
            else:
                raise Refused(502, f"{said.word} is not understood here")
        except Refused as error:
            answer = (error.code, error.text)
        except OhmsteadError as error:
            answer = (_CODES.get(type(error), 451), error.text)
        if answer is not None:
            await self._say(*answer)

    async def _say(self, code: int, *lines: str) -> None:
        self._writer.write(words.reply(code, *lines))
        await self._writer.drain()

    # ------------------------------------------------------------------------------------------------ who is here

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        await self._writer.start_tls(context)
        self._context = context

    async def auth(self, argument: str) -> Answer | None:
        """RFC 4217: from here on encrypted."""
        if argument.upper() not in ("TLS", "TLS-C", "SSL"):
            raise Refused(504, "TLS is what there is")
        context = self._house.context()
        if context is None or self._context is not None:
            raise Refused(534, "there is no certificate" if context is None else "it is encrypted already")
        try:
            # Commands that came along with this one were sent by nobody knows whom: they are not obeyed as if protected.
            # Looked for before the answer: what comes after it is the handshake, and must not be taken from it.
            async with asyncio.timeout(0):
                await self._reader.read(1)
            self._is_over = True
            return None
        except TimeoutError:
            pass
        await self._say(234, "go ahead")
        await self._encrypt(context)
        self._user, self._job, self._claim = "", None, None
        return None

    async def pbsz(self, _argument: str) -> Answer:
        """A buffer's size, which means nothing with TLS."""
        if self._context is None:
            raise Refused(503, "AUTH TLS first")
        return 200, "PBSZ=0"

    async def prot(self, argument: str) -> Answer:
        """Whether data connections are encrypted, too."""
        if self._context is None:
            raise Refused(503, "AUTH TLS first")
        if argument.upper() not in ("P", "C"):
            raise Refused(504, "P or C")
        self._is_private = argument.upper() == "P"
        return 200, "so be it"

    async def user(self, argument: str) -> Answer:
        """The first half of the credentials; whose they are is told after the second."""
        self._user, self._job, self._claim = argument, None, None
        return 331, "and the password"

    async def password(self, argument: str) -> Answer:
        """The second half."""
        user, self._user = self._user, ""
        if not user:
            raise Refused(503, "USER first")
        try:
            self._claim, self._job = await self._house.sign_in(user, argument, self.address)
        except Refused:
            self._n_bad += 1
            self._is_over = self._n_bad >= MOST_BAD_PASSWORDS
            raise
        return 230, "one file is here for you"

    # --------------------------------------------------------------------------------------------------- small talk

    async def features(self, _argument: str) -> None:
        """FEAT."""
        await self._say(211, "this is understood", *words.FEATURES, "end")

    async def options(self, argument: str) -> Answer:
        """OPTS."""
        if argument.upper() not in ("UTF8", "UTF8 ON"):
            raise Refused(501, "there is no such option")
        return 200, "so be it"

    async def system(self, _argument: str) -> Answer:
        """SYST."""
        return 215, "UNIX Type: L8"

    async def nothing(self, _argument: str) -> Answer:
        """NOOP, and ALLO, which is obsolete."""
        return 200, "yes"

    async def quit(self, _argument: str) -> Answer:
        """QUIT."""
        self._is_over = True
        return 221, "goodbye"

    async def kind(self, argument: str) -> Answer:
        """TYPE. Bytes pass as they are, whatever is said: a digest is taken over them."""
        if argument.upper() not in ("I", "A", "A N", "L 8"):
            raise Refused(504, "I, A or L 8")
        return 200, "bytes pass as they are"

    async def mode(self, argument: str) -> Answer:
        """MODE: in a stream."""
        if argument.upper() != "S":
            raise Refused(504, "S is what there is")
        return 200, "so be it"

    async def structure(self, argument: str) -> Answer:
        """STRU: a file is a file."""
        if argument.upper() != "F":
            raise Refused(504, "F is what there is")
        return 200, "so be it"

    async def where(self, _argument: str) -> Answer:
        """PWD."""
        return 257, '"/" is the only directory'

    async def go(self, argument: str) -> Answer:
        """CWD, CDUP: there is one directory."""
        if words.path_of(argument):
            raise Refused(550, "there is no such directory")
        return 250, "here you are"

    # ------------------------------------------------------------------------------------------------------- files

    async def passive(self, _argument: str) -> Answer:
        """PASV."""
        await self._listen()
        assert self._channel is not None
        address = self._house.passive_address or self._writer.get_extra_info("sockname")[0]
        try:
            return 227, words.passive(address, self._channel.port)
        except ValueError as error:
            raise Refused(425, "EPSV, over IPv6") from error

    async def extended_passive(self, argument: str) -> Answer:
        """EPSV (RFC 2428)."""
        if argument.upper() == "ALL":
            return 200, "so be it"
        await self._listen()
        assert self._channel is not None
        return 229, f"Entering Extended Passive Mode (|||{self._channel.port}|)"

    async def active(self, _argument: str) -> Answer:
        """PORT, EPRT: we connect to nobody, or whoever signs in could have us knock at doors in our network."""
        raise Refused(502, "passive connections only: PASV or EPSV")

    async def rest(self, argument: str) -> Answer:
        """REST: the next transfer begins at a byte."""
        if not (argument.isascii() and argument.isdigit() and len(argument) <= 15):
            raise Refused(501, "a number of bytes")
        self._first = int(argument)
        return 350, f"from byte {self._first} on"

    async def size(self, argument: str) -> Answer:
        """SIZE: of what is here, or how much of it has come."""
        claim, job = await self._good()
        self._named(claim, job, argument)
        return 213, str(await self._house.size_of(claim, job))

    async def retrieve(self, argument: str) -> Answer:
        """RETR."""
        claim, job = await self._good()
        first, self._first = self._first, 0
        if claim.direction != "fetch":
            raise Refused(550, "there is nothing to fetch")
        self._named(claim, job, argument)
        size = await self._house.size_of(claim, job)
        if first > size:
            raise Refused(554, f"the file has {size} bytes")
        async with self._transfer() as (_, writer):
            sent = await give(writer, self._house.read(job, first), Pace(self._house.bytes_per_s))
        if first + sent == size:
            await self._house.given(job)
        return 226, "that was all of it"

    async def store(self, argument: str) -> Answer:
        """STOR: the whole file, or from REST on."""
        claim, job = await self._sending()
        first, self._first = self._first, 0
        return await self._store(claim, job, argument, first)

    async def append(self, argument: str) -> Answer:
        """APPE: on where the last connection broke off."""
        claim, job = await self._sending()
        return await self._store(claim, job, argument, await self._house.size_of(claim, job))

    async def store_unique(self, _argument: str) -> Answer:
        """STOU: under a name of ours, which is the job's."""
        claim, job = await self._sending()
        self._first = 0
        return await self._store(claim, job, "", 0)

    async def _store(self, _claim: Claim, job: FileJob, argument: str, first: int) -> Answer:
        name = words.path_of(argument)
        if "/" in name:
            raise Refused(553, "there are no directories here")
        async with self._transfer() as (reader, _):
            source = pieces(reader, Pace(self._house.bytes_per_s))
            await self._house.take(job, safe_name(name, job.name), first, source, self.address)
        return 226, "received"

    async def listing(self, _argument: str) -> Answer:
        """LIST, NLST: the one file, for who fetches."""
        claim, job = await self._good()
        line = ""
        if claim.direction == "fetch":
            size = await self._house.size_of(claim, job)
            line = f"-r--r--r-- 1 ohmstead ohmstead {size} Jan 01 2026 {job.name}\r\n"
        return await self._tell(line)

    async def names(self, _argument: str) -> Answer:
        """NLST."""
        claim, job = await self._good()
        return await self._tell(f"{job.name}\r\n" if claim.direction == "fetch" else "")

    async def _tell(self, text: str) -> Answer:
        async with self._transfer() as (_, writer):
            writer.write(text.encode())
            await writer.drain()
        return 226, "that was all of it"

    # ------------------------------------------------------------------------------------------------------- parts

    async def _good(self) -> tuple[Claim, FileJob]:
        assert self._claim is not None
        self._job = await self._house.job_still(self._claim, self.address)
        return self._claim, self._job

    async def _sending(self) -> tuple[Claim, FileJob]:
        claim, job = await self._good()
        if claim.direction != "send":
            raise Refused(550, "these credentials are for fetching")
        return claim, job

    def _named(self, claim: Claim, job: FileJob, argument: str) -> None:
        if claim.direction == "fetch" and words.path_of(argument) != job.name:
            raise Refused(550, "there is no such file")

    async def _listen(self) -> None:
        await self._shut()
        self._channel = Channel(self.address)
        context = self._context if self._is_private else None
        await self._channel.listen(self._writer.get_extra_info("sockname")[0], self._house.passive_ports, context)

    @contextlib.asynccontextmanager
    async def _transfer(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if self._channel is None:
            raise Refused(425, "PASV or EPSV first")
        if self._context is not None and not self._is_private:
            raise Refused(522, "PROT P first: what is signed in for encrypted goes encrypted")
        await self._say(150, "here it comes")
        try:
            yield await self._channel.opened()
        finally:
            await self._shut()

    async def _shut(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()


_Handler: TypeAlias = Callable[[Visit, str], Awaitable[Any]]
_BEFORE: Final[dict[str, _Handler]] = {
    "AUTH": Visit.auth,
    "PBSZ": Visit.pbsz,
    "PROT": Visit.prot,
    "USER": Visit.user,
    "PASS": Visit.password,
    "FEAT": Visit.features,
    "OPTS": Visit.options,
    "SYST": Visit.system,
    "NOOP": Visit.nothing,
    "QUIT": Visit.quit,
}
_AFTER: Final[dict[str, _Handler]] = {
    "ALLO": Visit.nothing,
    "APPE": Visit.append,
    "CDUP": Visit.go,
    "CWD": Visit.go,
    "EPRT": Visit.active,
    "EPSV": Visit.extended_passive,
    "LIST": Visit.listing,
    "MODE": Visit.mode,
    "NLST": Visit.names,
    "PASV": Visit.passive,
    "PORT": Visit.active,
    "PWD": Visit.where,
    "REST": Visit.rest,
    "RETR": Visit.retrieve,
    "SIZE": Visit.size,
    "STOR": Visit.store,
    "STOU": Visit.store_unique,
    "STRU": Visit.structure,
    "TYPE": Visit.kind,
    "XPWD": Visit.where,
}
