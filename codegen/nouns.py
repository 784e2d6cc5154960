"""English noun phrases from the names of classes."""

from __future__ import annotations

import re

from .text import singular

_ACRONYMS = {
    word.lower(): word
    for word in (
        "AHT", "AI", "API", "BMSM", "BXGY", "CAP", "COD", "CTR", "DSAT", "EPR", "FBT", "GMV", "GNE",
        "GPA", "GPM", "GTIN", "HS", "ID", "IM", "JIT", "MCF", "MSDS", "NBFR", "NRR", "OTDR", "PCR",
        "PDF", "POD", "QR", "RMA", "RP", "SEO", "SFCR", "SIOC", "SKC", "SKPP", "SKU", "SPS", "SPU",
        "TAP", "TTS", "UPC", "URI", "URL", "USD", "VAT",
    )
}  # fmt: skip
_READ_AS_WORDS = {"SIOC", "SKU"}
_WORDS = _ACRONYMS | {
    "analyse": "analysis",
    "avg": "average",
    "config": "configuration",
    "cur": "current",
    "diagnose": "diagnosis",
    "dto": "entry",
    "exp": "expiration",
    "fail": "failure",
    "ids": "IDs",
    "img": "image",
    "info": "information",
    "logistic": "logistics",
    "meta": "additional",
    "num": "number",
    "param": "parameter",
    "segement": "segment",
    "skus": "SKUs",
    "stat": "statistic",
    "tiktok": "TikTok",
}
"""Words of class names -> the words of a sentence."""
_WITHOUT_ARTICLE = {
    "content", "data", "details", "evidence", "feedback", "goods", "information", "inventory",
    "logistics", "media", "news", "performance", "sales", "traffic",
}  # fmt: skip
"""Uncountable nouns, and plurals that `singular` leaves as they are."""


def noun_phrase(noun: str) -> str:
    """Return ``noun`` with article and readable words: ``sku price`` is ``A SKU price``.

    Plural and uncountable nouns have no article.
    """
    phrase = _readable(noun)
    article = article_of(noun)
    phrase = f"{article} {phrase}" if article else phrase
    return phrase[:1].upper() + phrase[1:]


def article_of(noun: str) -> str:
    """Return the indefinite article of ``noun``, or "" for a plural or uncountable noun."""
    words = _readable(noun).split()
    last = words[-1].lower()
    if last in _WITHOUT_ARTICLE or singular(last) != last:
        return ""
    return "an" if _starts_with_vowel_sound(words[0]) else "a"


def _readable(noun: str) -> str:
    return " ".join(_WORDS.get(word, word) for word in noun.split())


def _starts_with_vowel_sound(word: str) -> bool:
    if word.isupper():
        return word not in _READ_AS_WORDS and word[0] in "AEFHILMNORSX"
    return re.match(r"[aeio]|hour|u(?!ni|s|rl|ti)", word) is not None
