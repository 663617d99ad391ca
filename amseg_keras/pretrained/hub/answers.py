"""What the Hub answers when it does not do as asked, as a sentence that says what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub
from huggingface_hub import errors

from amseg_keras.pretrained.errors import PresetError

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")

TOKEN = re.compile("hf_[A-Za-z0-9]{20,}")

FAILURES = (errors.HTTPError, OSError, errors.LocalEntryNotFoundError)
"""All that a request can end in; HTTPError is that of httpx or httpx2, whichever is used."""


def named(repo_id: str, revision: str | None = None) -> str:
    """A repository and its revision, for a message.

    Raises:
        PresetError: it is not `owner/repo`.
    """
    if not REPOSITORY.fullmatch(repo_id):
        raise PresetError(f"{repo_id}: not the name of a repository, which is owner/repo")
    return f"{repo_id} (revision {revision})" if revision else repo_id


@contextmanager
def as_preset_error(at: str) -> Iterator[None]:
    """Turn whatever a request ends in into a `PresetError` of one line.

    Args:
        at: what was asked for, from `named`.
    """
    try:
        yield
    except (*FAILURES, errors.HFValidationError) as error:
        cause = error.__cause__
        # A file that the Hub did not give is reported as one that is not in the cache
        if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(cause, Exception):
            raise PresetError(f"{at}: {_reason(cause)}") from shown(error)
        raise PresetError(f"{at}: {_reason(error)}") from shown(error)


def _reason(error: Exception) -> str:
    if isinstance(error, errors.HFValidationError):
        return f"not the name of a repository ({failure(error)})"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, errors.GatedRepoError):
        return (
            "its owner decides who may read it: ask for access on its page on the Hub, "
            "then set HF_TOKEN"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such repository on the Hub, or it is private: set HF_TOKEN to read it"
    return failure(error)


def unreachable(error: BaseException) -> bool:
    """Whether the Hub was not reached at all, or was not to be."""
    return isinstance(error, errors.OfflineModeIsEnabled) or (
        isinstance(error, errors.HTTPError) and not isinstance(error, errors.HfHubHTTPError)
    )


def failure(error: Exception) -> str:
    """What went wrong and what to do about it, in one line without a token."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, errors.HfHubHTTPError):
        said = " ".join((error.server_message or first_line).split())
        status = error.response.status_code
        return f"the Hub answered {status} ({_without_token(said)}); {_advice(error)}"
    if isinstance(error, ValueError):
        return _without_token(" ".join(str(error).split()))
    return f"the transfer failed ({_without_token(first_line)}); try again"


def _advice(error: errors.HfHubHTTPError) -> str:
    if error.response.status_code in (401, 403):
        return "check the token (hf auth login)"
    wait = error.response.headers.get("Retry-After", "")
    return f"try again in {wait} s" if wait.isdecimal() else "try again later"


def shown(error: Exception) -> Exception | None:
    """The error as a cause to be shown in a traceback, unless a token is in it."""
    text = "".join(traceback.format_exception(error))
    return error if _without_token(text) == text else None


def _without_token(text: str) -> str:
    """A server may repeat what it was sent."""
    token = huggingface_hub.get_token()
    return TOKEN.sub("hf_...", text.replace(token, "hf_...") if token else text)
