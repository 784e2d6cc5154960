"""Error responses: the platform's codes, with their HTTP statuses.

The codes of the gateway and the statuses 401 and 429 are documented. The other statuses and the
codes marked below are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class Refusal(Exception):  # noqa: N818  a response, not a failure of the sandbox
    """An error response: a code other than 0.

    Refusals by a shop have HTTP status 200, like the platform's business errors. Refusals by the
    gateway have other statuses.
    """

    def __init__(
        self,
        code: int,
        message: str,
        http_status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
        self.headers = headers or {}


# The gateway.
THROTTLED = 36009002
INTERNAL_ERROR = 36009003
INVALID_PARAMETER = 36009004
UNKNOWN_PATH = 36009009
UNKNOWN_METHOD = 36009010
UNKNOWN_VERSION = 36009014
TOO_LARGE = 36009021
WRONG_CONTENT_TYPE = 36009022
UNREADABLE_BODY = 36009023
QUOTA_EXHAUSTED = 36009037
WRONG_TOKEN_OR_SHOP = 101000
UNKNOWN_TOKEN = 105001  # our choice
EXPIRED_TOKEN = 105002
MISSING_SCOPE = 105005
WRONG_SIGNATURE = 106001
MISSING_CIPHER = 106013

# The token endpoints; the three codes come from clients' reports.
EXPIRED_REFRESH_TOKEN = 36004001
INVALID_CODE = 36004004
NO_AUTHORIZATION = 36004005

# The shop.
WRONG_ORDER_STATUS = 25001001
UNKNOWN_REASON = 25001014
UNFIT_REASON = 25001021
UNKNOWN_ORDER = 25001002  # our choice
UNKNOWN_LINE_ITEM = 25001003  # our choice
UNKNOWN_REQUEST = 25001004  # our choice
WRONG_REQUEST_STATUS = 25001005  # our choice
OPEN_REQUEST = 25001010
GRANTED_REQUEST = 25001011
TOO_MUCH = 25005005
FROZEN_PACKAGE = 10007014
UNKNOWN_PACKAGE = 10007001  # our choice
WRONG_PACKAGE_STATUS = 10007002  # our choice


def invalid(message: str) -> Refusal:
    """Return the refusal of a parameter; the code is the same for all reasons."""
    return Refusal(INVALID_PARAMETER, message, HTTPStatus.BAD_REQUEST)
