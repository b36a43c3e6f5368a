"""The one rule without a switch: a picture whose tags mark a sexualised minor never enters a dataset.

It looks at raw and automatic tags together, before any edit, rename or tag dropping. It errs towards rejecting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# terms that boorus themselves define as sexualised minors: enough alone
_ALONE = re.compile(
    r"(?:.* )?(?:loli|lolis|shota|shotas|lolidom|shotadom|kodomocon)(?: .*)?"
    r"|.*(?:lolicon|shotacon|toddlercon|pedophil|paedophil|cunny|child porn|child abuse|child sex).*"
    r"|(?:nude|naked|sexy|sexual(?:ized|ised)?|lewd|topless|bottomless) "
    r"(?:child|children|kid|kids|toddler|infant|minor|minors|preteen|little girl|little boy)"
)
# terms for a minor, or for somebody drawn as one
_MINOR = re.compile(
    r"(?:.* )?(?:child|children|kid|kids|toddler|toddlers|infant|infants|baby|babies|preteen|preteens|tween|minor"
    r"|minors|underage|underaged|teenage|teenager|teenagers)(?: .*)?"
    r"|(?:little|young|younger|small) (?:girl|boy|girls|boys|sister|brother)|kodomo.*|aged down|age regression"
    r"|(?:.* )?(?:kindergarten|preschool|nursery school|elementary school|primary school|grade school|grade schooler"
    r"|elementary schooler|middle school|middle schooler|junior high|junior high school|high school student)(?: .*)?"
    r"|randoseru|(?:1[0-7]|[0-9])[ -]?(?:years?[ -]old|yo|y/o)"
)
_SEXUAL = re.compile(
    r"rating: ?(?:q|e|questionable|explicit)|questionable|explicit|nsfw|r-?18.*|hentai|ecchi|porn.*|lewd"
    r"|(?:.* )?(?:nude|nudity|naked|topless|bottomless|nipple|nipples|areola|areolae|penis|penises|pussy|vagina|vulva"
    r"|genitals|clitoris|anus|testicles|erection|bulge|cum|semen|ejaculation|orgasm|sex|sexual|intercourse|rape|molestation"
    r"|groping|masturbation|fellatio|cunnilingus|oral|anal|vaginal|paizuri|handjob|footjob|blowjob|irrumatio|creampie"
    r"|bukkake|gangbang|threesome|foursome|incest|bdsm|bondage|shibari|dildo|vibrator|ahegao|prostitution|striptease"
    r"|undressing|lingerie|panties|pantyshot|upskirt|underwear|thong|g-string|cameltoe|topless|breasts out|"
    r"micro bikini|sideboob|underboob|censored|uncensored|mosaic censoring|bar censor|spread legs|breast grab"
    r"|ass grab|ass focus|crotch|seductive|suggestive|sexually|fetish|see-through|no bra|no panties|love juice"
    r"|condom|seductive smile|presenting|futanari|doggystyle|missionary|cowgirl position)(?: .*)?"
)


def marks_sexualised_minor(tags: Iterable[str]) -> bool:
    """Whether these normalized tags mark a sexualised minor: by one term alone, or by a minor with a sexual term."""
    tags = list(tags)
    if any(map(_ALONE.fullmatch, tags)):
        return True
    return any(map(_MINOR.fullmatch, tags)) and any(map(_SEXUAL.fullmatch, tags))
