"""The one page for a browser, and the server's health for a load balancer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from airgate.access.decisions import Caller, Place, may, visible
from airgate.access.permissions import Permission
from airgate.deployments.ports import Deployment, Health
from airgate.http.audit_facts import claimed, short
from airgate.http.operations import Services
from airgate.http.replies import pretty_json
from airgate.http.stable_v1.admin_views import health_view
from airgate.model.audit import AuditEntry, Outcome
from airgate.model.dag import Dag, ImportFailure
from airgate.model.errors import PermissionDenied, RateLimited, Unavailable
from airgate.model.query import DagFilter, Order, Page, RunFilter
from airgate.model.run import DagRun

_PAGE: Final = Template(files("airgate.http").joinpath("page.html").read_text(encoding="utf-8"))
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_SIGN_IN: Final = {"WWW-Authenticate": 'Basic realm="Airgate", charset="UTF-8"'}
_DAGS: Final = Page(100)
_LATEST: Final = Page(20)
_INVITATION: Final = '<p><a href="?signin">Sign in</a> to see the DAGs and their latest runs.</p>'


def routes(deployment: Deployment, services: Services) -> list[BaseRoute]:
    """``/`` and ``/health``, both about one deployment."""
    pages = _Pages(deployment, services)
    return [Route("/", pages.page, methods=["GET"]), Route("/health", pages.health, methods=["GET"])]


class _Pages:
    def __init__(self, deployment: Deployment, services: Services) -> None:
        self._deployment = deployment
        self._services = services
        self._place = Place(deployment.name, deployment.workspace)

    async def health(self, _: Request) -> Response:
        """For a load balancer: 200 while triggers can be accepted, else 503. The body is v1's."""
        health = await self._services.health(self._deployment)
        status = 200 if health.store else 503
        return Response(pretty_json(health_view(health)), status, _HEADERS, media_type="application/json")

    async def page(self, request: Request) -> Response:
        """What this is and how it is; for those who may know, what there is."""
        health = await self._services.health(self._deployment)
        address = f"{request.url.scheme}://{request.url.netloc}{quote(request.scope['root_path'])}"
        try:
            caller = await self._visitor(request)
            body = _outside(address) if caller is None else await self._inside(caller, address)
        except Unavailable as error:
            return self._rendered(health, f"<p>{escape(error.detail)}</p>", 503, {})
        if caller is None and "signin" in request.query_params:
            return self._rendered(health, body, 401, _SIGN_IN)
        return self._rendered(health, body, 200, {})

    async def _visitor(self, request: Request) -> Caller | None:
        """Who looks at the page, if they may. To look without a credential is no refusal, with a wrong one it is."""
        header = request.headers.get("authorization")
        address = self._services.proxies.address(request.scope)
        caller, status = None, 401
        try:
            caller = await self._services.access.authenticate(header, address)
        except PermissionDenied:
            status = 403
        except RateLimited:
            status = 429
        if caller is not None and may(caller, Permission.WEBSITE_READ, self._place):
            return caller
        if header is not None:
            self._refused(request, header, caller, address, 403 if caller else status)
        return None

    def _refused(self, request: Request, header: str, caller: Caller | None, address: str | None, status: int) -> None:
        entry = AuditEntry(
            at=self._services.clock(),
            event="get_page",
            outcome=Outcome.REFUSED,
            status=status,
            dialect="page",
            method=request.method,
            path=short(request.url.path),
            actor=caller.name if caller else claimed(header),
            actor_id=caller.identity.id if caller else None,
            key_id=caller.key_id if caller else None,
            address=address,
            deployment=self._deployment.name,
        )
        self._services.audit.refused(entry)

    async def _inside(self, caller: Caller, address: str) -> str:
        """What the caller may see of what there is. Files are shown to who may read whatever is in them."""
        text, first = "", None
        if may(caller, Permission.IMPORT_ERRORS_READ, self._place) and caller.identity.limits.dags is None:
            text += _failures((await self._deployment.dags.import_failures(Order("file"), _LATEST)).items)
        if may(caller, Permission.RUNS_READ, self._place):
            which = RunFilter(dag_ids=await self._shown(caller, Permission.RUNS_READ))
            text += _runs((await self._deployment.runs.list(which, Order("seq", descending=True), _LATEST)).items)
        if may(caller, Permission.DAGS_READ, self._place):
            known = DagFilter(dag_ids=await self._shown(caller, Permission.DAGS_READ))
            dags = (await self._deployment.dags.list(known, Order("dag_id"), _DAGS)).items
            first = next((dag.dag_id for dag in dags), None)
            text += _dags(dags)
        return text + _first_trigger(address, first)

    async def _shown(self, caller: Caller, permission: Permission) -> tuple[str, ...] | None:
        """The DAGs of which the caller may see something; None: all."""
        test = visible(caller, permission)
        return None if test is None else tuple(filter(test, await self._deployment.dags.ids()))

    def _rendered(self, health: Health, body: str, status: int, headers: dict[str, str]) -> Response:
        word = "healthy" if health.store and health.scheduler else "unhealthy"
        page = _PAGE.substitute(health_class=word, health_word=word, version=escape(self._services.version), body=body)
        return HTMLResponse(page, status, _HEADERS | headers)


def _outside(address: str) -> str:
    return _INVITATION + _first_trigger(address, None)


def _first_trigger(address: str, dag_id: str | None) -> str:
    """The curl line that starts a DAG."""
    line = (
        f"curl -X POST {address}/api/v1/dags/{quote(dag_id) if dag_id else 'YOUR_DAG'}/dagRuns \\\n"
        "  -H 'Authorization: Bearer YOUR_TOKEN' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        "  -d '{}'"
    )
    return f"<section><h2>Trigger a DAG</h2><pre>{escape(line, quote=False)}</pre></section>"


def _failures(failures: Iterable[ImportFailure]) -> str:
    rows = [
        (f'<td class="name failed">{escape(failure.file)}</td>', f"<td>{escape(_last_line(failure.stack_trace))}</td>")
        for failure in failures
    ]
    return _section("Files that cannot be imported", ("File", "Why"), rows) if rows else ""


def _last_line(stack_trace: str) -> str:
    return stack_trace.strip().rpartition("\n")[2][:200]


def _runs(runs: Iterable[DagRun]) -> str:
    rows = [
        (
            f'<td class="name">{escape(run.dag_id)}<small>{escape(run.run_id)}</small></td>',
            f'<td class="state {run.state.value}">{run.state.value}</td>',
            f'<td class="number">{_duration(run)}</td>',
            f'<td class="number">{_time(run.start_date or run.queued_at)}</td>',
        )
        for run in runs
    ]
    return _section("Latest runs", ("DAG and run", "State", "Took", "Started (UTC)"), rows)


def _dags(dags: Iterable[Dag]) -> str:
    rows = [
        (
            f'<td class="name">{escape(dag.dag_id)}</td>',
            '<td class="state paused">paused</td>' if dag.is_paused else '<td class="state success">on</td>',
            f"<td>{escape(dag.spec.schedule.summary or 'none')}</td>",
            f'<td class="number">{_time(dag.next_run.run_after) if dag.next_run else ""}</td>',
        )
        for dag in dags
    ]
    return _section("DAGs", ("DAG", "State", "Schedule", "Next run (UTC)"), rows)


def _section(title: str, columns: Iterable[str], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return f'<section><h2>{title}</h2><p class="soft">None yet.</p></section>'
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<section><h2>{title}</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div></section>'


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _duration(run: DagRun) -> str:
    if run.start_date is None or run.end_date is None:
        return ""
    return f"{(run.end_date - run.start_date).total_seconds():.2f} s"
