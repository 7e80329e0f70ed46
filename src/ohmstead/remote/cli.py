"""`ohmstead api`: every operation of the REST API on the command line, against this or any other installation."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

import click
import msgspec
from click.shell_completion import ShellComplete
from rich.console import Console

from ohmstead.core.errors import OhmsteadError
from ohmstead.remote import profiles
from ohmstead.remote.output import FORMS, Form, plain, show
from ohmstead_client import (
    OPERATIONS,
    ApiError,
    Client,
    ClientError,
    ConnectionFailed,
    Operation,
    Parameter,
)

_TYPES: Mapping[str, Any] = {"integer": click.INT, "number": click.FLOAT}
# What an order can end in that is not what was wanted.
_NOT_DONE = frozenset({"failed", "rejected", "offline", "timed_out", "expired", "cancelled"})
REFUSED, UNREACHABLE, NOT_DONE = 1, 3, 4
_WATCH_AT_MOST_EVERY_S = 1.0

_HELP = """Every operation of the REST API, against this or any other installation.

Where to and with which key: OHMSTEAD_API_URL and OHMSTEAD_API_KEY (or OHMSTEAD_API_KEY_FILE), or a profile in
~/.config/ohmstead/profiles.toml, chosen with --profile or OHMSTEAD_PROFILE. Never give a key as an argument: others on the
machine can see those.

\b
  ohmstead api list-stations --status faulted --all
  ohmstead api send-command HARBOUR-01 --set kind=reset --set how=soft
  ohmstead api create-location --body @place.json -o json
  ohmstead api list-stations --watch
  ohmstead api stream-events --kind session

Exit codes: 0 done, 1 refused, 2 used wrongly, 3 no answer, 4 the station did not do what it was ordered."""

# NAMES: those of all commands of `ohmstead`.
_SCRIPTS = {
    "bash": """_ohmstead() {
    local IFS=$'\\n' names='NAMES'
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=( $(compgen -W "${names// /$IFS}" -- "${COMP_WORDS[1]}") )
    elif [ "${COMP_WORDS[1]}" = api ]; then
        COMPREPLY=( $("${COMP_WORDS[0]}" api complete -- "${COMP_WORDS[@]:2:$COMP_CWORD-1}") )
    fi
}
complete -o default -F _ohmstead ohmstead
""",
    "zsh": """#compdef ohmstead
_ohmstead() {
    local -a found
    if (( CURRENT == 2 )); then
        found=(NAMES)
    elif [[ $words[2] == api ]]; then
        found=("${(@f)$($words[1] api complete -- "${(@)words[3,$CURRENT]}")}")
    fi
    compadd -a found
}
compdef _ohmstead ohmstead
""",
    "fish": """complete -c ohmstead -n 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = api' \\
    -a '(set -l words (commandline -opc); ohmstead api complete -- $words[3..] (commandline -ct))'
""",
}


class Api(click.Group):
    """The operations as commands, under the headings of the reference."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(name.replace("_", "-") for name in OPERATIONS), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = OPERATIONS.get(cmd_name.replace("-", "_"))
        return super().get_command(ctx, cmd_name) if known is None else command_of(known)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for tag in dict.fromkeys(known.tag for known in OPERATIONS.values()):
            with formatter.section(tag):
                formatter.write_dl(
                    [(k.name.replace("_", "-"), k.summary) for k in OPERATIONS.values() if k.tag == tag],
                    col_max=32,
                )
        with formatter.section("Help"):
            formatter.write_dl(
                [(name, one.get_short_help_str(100)) for name, one in self.commands.items() if not one.hidden]
            )


def command_of(known: Operation) -> click.Command:
    """The command of an operation."""
    params: list[click.Parameter] = [click.Argument([one.name]) for one in known.ids]
    params += [_option(one) for one in known.query]
    if known.takes == "json":
        params += [
            click.Option(["body", "--body"], help="The body as JSON; @FILE reads a file, - standard input."),
            click.Option(["sets", "--set"], multiple=True, metavar="NAME=VALUE", help="A field; a.b=1 goes deeper."),
        ]
    elif known.takes is not None:
        params.append(
            click.Option(["body", "--file"], required=True, metavar="FILE", help="What to send; - standard input.")
        )
    if known.takes_if_match:
        params.append(
            click.Option(["if_match", "--if-match"], type=click.INT, help="Only if it still has this version.")
        )
    if known.method == "POST":
        params.append(
            click.Option(["idempotency_key", "--idempotency-key"], help="The same key again: not done again.")
        )
    if known.method == "DELETE":
        params.append(click.Option(["yes", "--yes"], is_flag=True, help="Do not ask."))
    if known.is_paged:
        params.append(click.Option(["everything", "--all"], is_flag=True, help="All pages."))
    if known.method == "GET" and known.gives == "json":
        params.append(click.Option(["watch", "--watch"], is_flag=True, help="Again whenever something happens."))
    params += _common(known)
    text = "\n\n".join(part for part in (f"{known.summary}.", known.description, _example(known)) if part)
    return click.Command(
        known.name.replace("_", "-"), params=params, callback=lambda **given: _run(known, given), help=text
    )


def _common(known: Operation) -> list[click.Parameter]:
    return [
        click.Option(
            ["form", "-o", "--output"],
            type=click.Choice(FORMS),
            help="Default: a table on a terminal, JSON elsewhere.",
        ),
        click.Option(
            ["columns", "--columns"], help=f"Only these: {', '.join(known.columns)}." if known.columns else None
        ),
        click.Option(
            ["profile", "--profile"],
            shell_complete=lambda _context, _parameter, begun: [
                name for name in profiles.profile_names(os.environ) if name.startswith(begun)
            ],
            help="Which profile.",
        ),
        click.Option(["url", "--url"], help="Which installation."),
    ]


def _option(one: Parameter) -> click.Option:
    flag = f"--{one.name.replace('_', '-')}"
    text = one.meaning.replace("`", "") + (f" Default: {one.default}." if one.default is not None else "")
    if one.type == "boolean":
        return click.Option([one.name, f"{flag}/--no-{flag[2:]}"], default=None, help=text)
    kind = click.Choice(one.choices) if one.choices else _TYPES.get(one.type)
    return click.Option([one.name, flag], type=kind, multiple=one.is_list, help=text)


def _example(known: Operation) -> str:
    if known.takes != "json" or known.example is None:
        return ""
    return "\b\nA body:\n" + msgspec.json.format(msgspec.json.encode(known.example), indent=2).decode()


def _run(known: Operation, given: dict[str, Any]) -> None:
    console = Console()
    form = cast("Form", given["form"] or ("table" if sys.stdout.isatty() else "json"))
    columns = [name.strip() for name in (given["columns"] or "").split(",") if name.strip()]
    arguments = {
        one.name: list(value) if isinstance(value, tuple) else value
        for one in (*known.ids, *known.query)
        if (value := given[one.name]) not in (None, ())
    }
    try:
        profile = profiles.chosen(os.environ, given["profile"], given["url"])
        body = _body(known, given)
        if known.method == "DELETE" and not given["yes"]:
            click.confirm(f"{known.summary}: {' '.join(str(arguments[one.name]) for one in known.ids)}?", abort=True)
        with Client(profile.url, profile.key) as client:
            if known.gives == "events":
                _follow(client, arguments, form)
            answer = _answer(client, known, arguments, body, given)
            _show(answer, known, form, console, columns)
            while given.get("watch"):
                _wait_for_news(client)
                if console.is_terminal:
                    console.clear()
                _show(_answer(client, known, arguments, body, given), known, form, console, columns)
    except ConnectionFailed as error:
        _fail(f"{error} ({profile.url})", UNREACHABLE)
    except ApiError as problem:
        _fail_with(problem)
    except (ClientError, OhmsteadError) as error:
        _fail(str(error), REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)
    if isinstance(answer, dict) and "command_id" in answer and answer.get("status") in _NOT_DONE:
        sys.exit(NOT_DONE)


def _answer(client: Client, known: Operation, arguments: dict[str, Any], body: Any, given: Mapping[str, Any]) -> Any:
    options = {"if_match": given.get("if_match"), "idempotency_key": given.get("idempotency_key")}
    answer = client.call(known.name, body, **options, **arguments)
    if not given.get("everything"):
        return answer
    items = list(answer["items"])
    while answer["next_cursor"] is not None:
        answer = client.call(known.name, **{**arguments, "cursor": answer["next_cursor"]})
        items += answer["items"]
    return {"items": items, "next_cursor": None}


def _show(answer: Any, known: Operation, form: Form, console: Console, columns: Sequence[str]) -> None:
    if answer is None:
        return
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
        return
    show(answer, form, console, known.columns, columns)


def _follow(client: Client, arguments: Mapping[str, Any], form: Form) -> NoReturn:
    for event in client.stream_events(**arguments):
        if form == "table":
            told = " ".join(
                f"{name}={plain(str(value))}"
                for name, value in event.data.items()
                if value is not None and name not in ("kind", "at")
            )
            print(f"{plain(str(event.data.get('at', '')))}  {plain(event.kind):<10}  {told}", flush=True)
        else:
            print(msgspec.json.encode(event.data).decode(), flush=True)
    sys.exit(0)


def _wait_for_news(client: Client) -> None:
    began = time.monotonic()
    events = client.stream_events()
    next(events)
    events.close()
    time.sleep(max(0.0, began + _WATCH_AT_MOST_EVERY_S - time.monotonic()))


# ------------------------------------------------------------------------------------------------------- the body


def _body(known: Operation, given: Mapping[str, Any]) -> Any:
    if known.takes is None:
        return None
    if known.takes != "json":
        return _bytes_of(given["body"])
    body: Any = {}
    if (text := given["body"]) is not None:
        raw = _bytes_of(text.removeprefix("@")) if text == "-" or text.startswith("@") else text.encode()
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--body: not JSON: {error}") from error
    for one in given["sets"]:
        _set(body, one)
    return body


def _bytes_of(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}") from error


def _set(body: Any, assignment: str) -> None:
    path, mark, text = assignment.partition("=")
    if not mark or not path:
        raise click.UsageError(f"--set {assignment}: expected NAME=VALUE")
    *way, last = path.split(".")
    place = body
    for name in way:
        place = place.setdefault(name, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise click.UsageError(f"--set {assignment}: {path} leads into something that has no fields")
    place[last] = _value(text)


def _value(text: str) -> Any:
    """JSON where it is JSON, text elsewhere: `5`, `true`, `null`, `["a"]`; `HARBOUR-01`; `"5"` is the text 5."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


# ------------------------------------------------------------------------------------------------------- failing


def _fail_with(problem: ApiError) -> NoReturn:
    lines = [f"{problem.title}: {problem.detail}"]
    lines += [f"  {one.get('field', '')}: {one.get('error', '')}" for one in problem.errors if len(problem.errors) > 1]
    if problem.__doc__ and type(problem) is not ApiError:
        lines.append(f"  {problem.__doc__.strip().rpartition(chr(10))[2].strip()}")
    if problem.request_id:
        lines.append(f"  request {problem.request_id}")
    _fail("\n".join(plain(line) for line in lines), REFUSED)


def _fail(text: str, code: int) -> NoReturn:
    click.echo(f"ohmstead: {text}", err=True)
    sys.exit(code)


# ------------------------------------------------------------------------------------------------------- the group


def group(beside: Sequence[str] = ()) -> click.Group:
    """The whole command. `beside`: the names of all commands of `ohmstead`, for completion."""
    made = Api("api", help=_HELP, no_args_is_help=True)

    @made.command("find", help="Find operations: by name, path or what they do.")
    @click.argument("words", nargs=-1)
    def find(words: tuple[str, ...]) -> None:
        for known in found(words):
            click.echo(f"{known.name.replace('_', '-'):<32} {known.method:<6} {known.path}\n    {known.summary}.")

    @made.command("completion", help="Print a script that completes commands: bash, zsh or fish.")
    @click.argument("shell", type=click.Choice(sorted(_SCRIPTS)))
    def completion(shell: str) -> None:
        click.echo(_SCRIPTS[shell].replace("NAMES", " ".join(beside)), nl=False)

    @made.command("complete", hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def complete(words: tuple[str, ...]) -> None:
        *before, begun = words or ("",)
        for item in ShellComplete(made, {}, "ohmstead api", "_OHMSTEAD_COMPLETE").get_completions(before, begun):
            click.echo(item.value)

    return made


def found(words: Sequence[str]) -> Iterator[Operation]:
    """Operations in whose name, path or summary all the words stand."""
    for known in OPERATIONS.values():
        text = f"{known.name} {known.name.replace('_', '-')} {known.path} {known.summary} {known.tag}".lower()
        if all(word.lower() in text for word in words):
            yield known
