"""The console page: the shop, its requests and its faults, to look at and to work on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..pipeline.limiter import EndpointClass
from ..shapes import webhook_shape, webhook_types
from .control import latest_orders, order_summary, orders_by_status
from .faults import ActiveFault, FaultKind
from .limits import LimitSettings
from .request_log import LoggedRequest, SignatureCheck
from .shop import Shop
from .workbench import Workbench

SHOWN_ORDERS = 25
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}
_STATIC = {"console.css": "text/css", "console.js": "text/javascript"}


def console_routes(bench: Workbench) -> list[Route]:
    """Return the routes of the page, for a mount at ``/_sandbox``."""

    async def page(_: Request) -> Response:
        return HTMLResponse(_page(bench), headers=_HEADERS)

    async def orders(_: Request) -> Response:
        return HTMLResponse(_orders(bench))

    async def faults(_: Request) -> Response:
        return HTMLResponse(_faults(bench))

    async def limits(_: Request) -> Response:
        return HTMLResponse(_limits(bench.limits.settings))

    async def requests(request: Request) -> Response:
        after = request.query_params.get("after", "")
        entries = bench.requests.after(int(after) if after.isdecimal() else 0)
        return HTMLResponse(_requests(entries))

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return Response(status_code=404)
        return Response(_file(name), media_type=_STATIC[name])

    return [
        Route("/", page),
        Route("/page/orders", orders),
        Route("/page/faults", faults),
        Route("/page/limits", limits),
        Route("/page/requests", requests),
        Route("/page/{name}", static),
    ]


def _file(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath("page", name).read_text(encoding="utf-8")


def _page(bench: Workbench) -> str:
    parts = {
        "ORDERS": _orders(bench),
        "FAULTS": _faults(bench),
        "LIMITS": _limits(bench.limits.settings),
        "RATES": "".join(map(_rate_fields, EndpointClass)),
        "REQUESTS": _requests(bench.requests),
        "KINDS": "".join(_option(kind, kind.replace("_", " ")) for kind in FaultKind),
        "EVENTS": "".join(_event(event) for event in webhook_types()),
    }
    page = _file("console.html")
    for name, part in parts.items():
        page = page.replace(f"<!-- {name} -->", part)
    return page


def _orders(bench: Workbench) -> str:
    return "".join(_shop(shop) for shop in bench.market.shops.values())


def _shop(shop: Shop) -> str:
    counts = "".join(
        f"<li>{_status(status)} {count}</li>"
        for status, count in sorted(orders_by_status(shop).items())
    )
    rows = "".join(
        f"<tr><td><code>{escape(order['id'])}</code></td><td>{_status(order['status'])}</td>"
        f"<td>{order['line_items']}</td><td>{order['cancelled_line_items']}</td>"
        f"<td>{_time(order['update_time'])}</td></tr>"
        for order in map(order_summary, latest_orders(shop, SHOWN_ORDERS))
    )
    return (
        f"<h3>{escape(shop.name)}</h3><ul class='counts'>{counts}</ul>"
        f"<div class='scroll' tabindex='0' role='region' aria-label='Latest orders'><table>"
        f"<caption>The {SHOWN_ORDERS} orders that changed last</caption>"
        "<thead><tr><th scope='col'>Order</th><th scope='col'>Status</th>"
        "<th scope='col'>Items</th><th scope='col'>Cancelled</th><th scope='col'>Changed</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _status(status: str) -> str:
    return f"<span class='badge {escape(status.lower())}'>{escape(status)}</span>"


def _faults(bench: Workbench) -> str:
    if not len(bench.faults):
        return "<p class='quiet'>None: every call is answered as it should be.</p>"
    return f"<ul class='rules'>{''.join(map(_fault, bench.faults))}</ul>"


def _fault(fault: ActiveFault) -> str:
    details = ", ".join(
        f"{name} {value}"
        for name, value in fault.rule.as_json().items()
        if name not in ("kind", "operation")
    )
    kind = escape(fault.rule.kind.replace("_", " "))
    return (
        f"<li data-fault='{fault.id}'><div><b>{kind}</b> on "
        f"<code>{escape(fault.rule.operation)}</code><br>"
        f"<small>{escape(details)}; struck {fault.struck} of {fault.seen}</small></div>"
        f"<button type='button' data-delete='faults/{fault.id}' "
        f"aria-label='Switch off {kind}'>Switch off</button></li>"
    )


def _limits(settings: LimitSettings) -> str:
    lines = [
        f"<b>{_words(kind)}</b>: {rate.per_second:g} a second, {rate.burst} at once"
        for kind, rate in settings.rates.items()
    ]
    if settings.hourly_quota is not None:
        lines.append(f"{settings.hourly_quota} calls an hour")
    if settings.retry_after is not None:
        lines.append(f"Retry-After as {settings.retry_after}")
    if not lines:
        return "<p class='quiet'>None: as many calls as you like.</p>"
    return (
        f"<ul class='rules'><li><div>{'<br>'.join(lines)}</div>"
        "<button type='button' data-delete='limits'>Lift</button></li></ul>"
    )


def _rate_fields(kind: EndpointClass) -> str:
    words = _words(kind).capitalize()
    return (
        f"<label>{words} a second "
        f"<input name='rates.{kind}.per_second' type='number' min='0' step='any'></label>"
        f"<label>{words} at once <input name='rates.{kind}.burst' type='number' min='1'"
        " placeholder='1'></label>"
    )


def _words(kind: EndpointClass) -> str:
    return f"{kind.replace('_', ' ')}s"


def _event(event: int) -> str:
    return _option(str(event), f"{event} {webhook_shape(event)['name'].replace('_', ' ')}")


def _option(value: str, text: str) -> str:
    return f"<option value='{escape(value)}'>{escape(text)}</option>"


def _requests(entries: Iterable[LoggedRequest]) -> str:
    return "".join(_request(entry) for entry in reversed(list(entries)))


def _request(entry: LoggedRequest) -> str:
    good = entry.code == 0 and entry.fault is None
    answer = "no answer" if entry.status is None else f"HTTP {entry.status}"
    code = "" if entry.code is None else f"code {entry.code}"
    fault = f"<span class='badge fault'>{escape(entry.fault)}</span>" if entry.fault else ""
    query = "&".join(f"{name}={value}" for name, value in entry.query)
    return (
        f"<li data-number='{entry.number}'><details><summary>"
        f"<span class='dot {'good' if good else 'bad'}'></span>"
        f"<span class='time'>{_time(entry.time)}</span> <b>{escape(entry.method)}</b> "
        f"<code class='path'>{escape(entry.path)}</code> "
        f"<span class='result'>{fault} {answer} {code}</span></summary>"
        f"<dl><dt>Operation</dt><dd>{escape(entry.operation or 'none')}</dd>"
        f"<dt>Query</dt><dd><code>{escape(query)}</code></dd>"
        f"<dt>Answer</dt><dd>{escape(entry.message) or answer} "
        f"({entry.milliseconds:.1f} ms)</dd>"
        f"<dt>Processed</dt><dd>{'yes' if entry.processed else 'no'}</dd>"
        f"{_signature(entry.signature)}</dl></details></li>"
    )


def _signature(check: SignatureCheck | None) -> str:
    if check is None:
        return "<dt>Signature</dt><dd>Not looked at: the request was refused before.</dd>"
    verdict = "<b class='fits'>fits</b>" if check.fits else "<b class='differs'>does not fit</b>"
    expected = check.expected or "nothing: the app is unknown"
    return (
        f"<dt>Signature</dt><dd>{verdict}</dd>"
        f"<dt>String to sign</dt><dd><pre>{escape(check.string_to_sign)}</pre></dd>"
        f"<dt>Expected</dt><dd><code>{escape(expected)}</code></dd>"
        f"<dt>Received</dt><dd><code>{escape(check.received or 'none')}</code></dd>"
    )


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"<time datetime='{moment:%Y-%m-%dT%H:%M:%SZ}'>{moment:%m-%d %H:%M:%S}</time>"
