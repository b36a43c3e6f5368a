"""What the figures of a set mean for the training, in words: warnings, remarks, and what is well."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from loramake.variety import FLAT, OWN_COSTUME, Group

# the guide's numbers: enough, and where the optimum begins and ends (pictures)
ENOUGH, OPTIMUM = 30, (50, 300)
# the guide's sweet spot of a training, image passes; 4000 is what it aims repeats at to have epochs to choose from
SWEET_SPOT, AIM = (2300, 3000), 4000

WARNING, NOTE, GOOD = "warning", "note", "good"


@dataclass(frozen=True)
class Remark:
    """One thing to know about a set.

    Attributes:
        level: WARNING (mend it, or know why not), NOTE (worth a look) or GOOD.
        title: the finding in a few words, with its figure.
        text: what it does to the LoRA, and what helps.
    """

    level: str
    title: str
    text: str


def count_pictures(number: int, noun: str = "picture") -> str:
    """The number with its noun: 1 picture, 2 pictures, 3,660 pictures."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def judge_size(pictures: int) -> Remark:
    """Where the set lies among the guide's numbers: from 30 on it is enough, 50 to 300 is best."""
    have, (low, high) = count_pictures(pictures), OPTIMUM
    if pictures < ENOUGH:
        text = (
            f"A character comes out well from {ENOUGH} varied pictures on; {low} to {high} are best. With fewer the "
            "LoRA learns the pictures instead of the character. Add some, or take a rule back that dropped good ones."
        )
        return Remark(WARNING, f"Only {have}", text)
    if pictures < low:
        text = f"From {ENOUGH} on it is enough if they are varied; the best range is {low} to {high}."
        return Remark(NOTE, f"{have}: enough, below the best range", text)
    if pictures > high:
        text = f"The best range is {low} to {high}. More do no harm, but the best {high} of them give the better LoRA."
        return Remark(NOTE, f"{have}: more than needed", text)
    place = (pictures - low) / (high - low)
    where = "in the lower part" if place < 1 / 3 else "in the middle" if place < 2 / 3 else "in the upper part"
    return Remark(GOOD, f"{have}: {where} of the best range", f"The best range is {low} to {high}.")


def judge_variety(
    groups: Mapping[str, Group], *, flat_backgrounds: float, one_sided: float, rare_costume: int
) -> list[Remark]:
    """Remarks on the variety and the balance of a set.

    Args:
        groups: from `variety.measure`.
        flat_backgrounds: warn above this share (0…1) of pictures on a flat colour.
        one_sided: a class in more than this share (0…1) of the pictures of its group is too common.
        rare_costume: a costume in fewer pictures than this is too rare.
    """
    remarks = [
        _judge_backgrounds(groups["background"], flat_backgrounds),
        _judge_views(groups["view"], one_sided),
        _judge_framing(groups["framing"], one_sided),
        *_judge_costumes(groups["costume"], one_sided, rare_costume),
        _judge_artists(groups["artist"], one_sided),
        _judge_ratings(groups["rating"], one_sided),
    ]
    return [remark for remark in remarks if remark]


def _judge_backgrounds(group: Group, limit: float) -> Remark:
    share = group.share(FLAT)
    title = f"{share:.0%} of the backgrounds are a flat colour"
    if share > limit:
        text = (
            "A background that most pictures share is learned with the character, and drawn unasked. Add "
            "pictures with scenery. Flat ones must at least say so in their tags (white background, simple background)."
        )
        return Remark(WARNING, title, text)
    if not group.known:
        text = "No picture has a tag for its background, so a prompt cannot change it. Tag them, or use a tagger."
        return Remark(WARNING, "No background is named", text)
    return Remark(GOOD, title, f"Few enough not to be learned with the character (the limit is {limit:.0%}).")


def _judge_views(group: Group, limit: float) -> Remark:
    named = group.known / group.pictures if group.pictures else 0.0
    if not group.known:
        text = (
            "No tag says from behind, from the side, from above or below: either all pictures are from the front, and "
            "the LoRA will not turn the character well, or the tags are missing. Add such pictures, or their tags."
        )
        return Remark(WARNING, "All from one angle, by their tags", text)
    label, share = group.largest
    seen = f"{group.known:,} of {group.pictures:,} pictures name their angle"
    if share * named > limit:
        return Remark(WARNING, f"{share * named:.0%} are seen {label}", "The LoRA will prefer this angle. Add others.")
    return Remark(GOOD, seen, f"The commonest is {label} ({group.counts[label]:,}); the rest count as from the front.")


def _judge_framing(group: Group, limit: float) -> Remark | None:
    label, share = group.largest
    if not label:
        return None
    if share > limit and group.known >= group.pictures / 2:
        text = (
            "The LoRA will prefer this distance, and what only shows from another one (the face, the shoes) is "
            "learned badly. Add other framings, or crop some of these pictures in the edits file."
        )
        return Remark(WARNING, f"One framing in {share:.0%} of the pictures: {label}", text)
    return Remark(GOOD, f"{len(group.counts)} framings", f"The commonest, {label}, fills {share:.0%} of those known.")


def _judge_costumes(group: Group, limit: float, rare: int) -> list[Remark]:
    remarks = []
    label, share = group.largest
    if label and label != OWN_COSTUME and share > limit:
        text = "It is learned as part of the character. Add pictures in other clothes, unless that is what you want."
        remarks.append(Remark(WARNING, f"One costume in {share:.0%} of the pictures: {label}", text))
    few = [(name, count) for name, count in group.counts.items() if count < rare and name != OWN_COSTUME]
    if few:
        names = ", ".join(f"{name} ({count})" for name, count in few)
        text = f"Too few to be learned: {names}. Each needs at least {count_pictures(rare)}; or leave them out."
        remarks.append(Remark(WARNING, f"{count_pictures(len(few), 'rare costume')}", text))
    return remarks


def _judge_artists(group: Group, limit: float) -> Remark:
    if not group.known:
        text = "No tag and no downloaded post names an artist: whether one style prevails is for your eyes to say."
        return Remark(NOTE, "Artists are not known", text)
    label, share = group.largest
    whose = f"of the {count_pictures(group.known)} whose artist is known"
    if share > limit:
        text = "A single style is learned along with the character. Add pictures by others."
        return Remark(WARNING, f"One artist drew {share:.0%} {whose}: {label}", text)
    return Remark(
        GOOD, count_pictures(len(group.counts), "artist"), f"The commonest, {label}, drew {share:.0%} {whose}."
    )


def _judge_ratings(group: Group, limit: float) -> Remark | None:
    if not group.known:
        return None
    label, share = group.largest
    whose = f"of the {count_pictures(group.known)} whose rating is known"
    if label == "general" and share > limit:
        return Remark(GOOD, f"{share:.0%} {whose} are general", "What the LoRA draws will be safe for work by habit.")
    if share > limit:
        text = "Prompts for anything else come out badly. Balance the ratings, at best towards general."
        return Remark(WARNING, f"One-sided ratings: {share:.0%} {whose} are {label}", text)
    return Remark(GOOD, "Ratings are balanced", f"The commonest is {label}, {share:.0%} {whose}.")


def judge_fit(small: int, cropped: int, pictures: int) -> list[Remark]:
    """Remarks on how the pictures fit their buckets.

    Args:
        small: pictures that are enlarged by more than half to train.
        cropped: pictures that lose more than a fifth of their area.
        pictures: size of the set.
    """
    remarks = []
    if small:
        text = (
            "Blur is learned like everything else. Raise screen.min_side, find larger copies, or set "
            "train.bucket_no_upscale."
        )
        remarks.append(Remark(WARNING, f"{count_pictures(small)} of {pictures:,} are enlarged by more than half", text))
    if cropped:
        text = (
            "More than a fifth of each is cut off to fit its bucket. Look below whether heads are among it, and crop "
            "those by hand."
        )
        remarks.append(Remark(NOTE, f"{count_pictures(cropped)} lose much at the border", text))
    return remarks


def judge_tag(tag: str, named: int, pictures: Mapping[str, int]) -> list[Remark]:
    """A warning where the character's tag is in no tag file: another spelling of it then stays beside the trigger.

    Args:
        tag: that the config gives her.
        named: pictures in which the trigger stands for it.
        pictures: how many have each other tag.
    """
    if named or not pictures:
        return []
    often = [name for name, count in pictures.items() if count * 2 >= max(pictures.values())]
    # a name with its series, as boorus write it, or nearly the one that was given
    likely = [name for name in often if name.endswith(")")] or difflib.get_close_matches(tag, often, 3)
    text = "The trigger leads every caption all the same."
    if likely:
        text += (
            f" But {' or '.join(likely)} may be her name here: it stays beside the trigger and takes part of what is "
            "learned, and her costumes are not told from others. Set tag of the character to it."
        )
    return [Remark(WARNING if likely else NOTE, f"No picture has the tag {tag}", text)]


def judge_captions(cut: int, bare: int, length: int) -> list[Remark]:
    """Remarks on the captions.

    Args:
        cut: captions longer than what training reads.
        bare: captions that hold the trigger alone.
        length: what training reads, tokens.
    """
    remarks = []
    if cut:
        text = f"Tags beyond {length} tokens are not read. A little cutting is harmless, since the tags are shuffled."
        remarks.append(Remark(NOTE, f"{count_pictures(cut, 'caption')} longer than {length} tokens", text))
    if bare:
        text = "Everything in these pictures is learned as part of the character. Add tags, or configure a tagger."
        remarks.append(Remark(WARNING, f"{count_pictures(bare, 'caption')} with the trigger alone", text))
    return remarks


def judge_length(passes: int) -> Remark:
    """Where the training's length lies, in image passes; the guide's sweet spot is reached on the way."""
    low, high = SWEET_SPOT
    title = f"{passes:,} image passes in all"
    if passes < low:
        text = f"The guide's best epochs lie at {low:,} to {high:,}: this training may stop before. Raise the repeats."
        return Remark(WARNING, title, text)
    if passes > 2 * AIM:
        text = f"The guide's best epochs lie at {low:,} to {high:,}: the later ones here are likely over-trained."
        return Remark(NOTE, title, text)
    return Remark(GOOD, title, f"The guide's best epochs lie at {low:,} to {high:,}, within this training.")
