"""The dataset report: one HTML file that stands alone and shows what became of each raw file, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loramake import advice, reportpage, variety
from loramake.buckets import listed_buckets, square_options
from loramake.captionrules import BY_TRIGGER
from loramake.captiontables import read_caption_table, read_tag_table
from loramake.dossier import Record, read_dossier
from loramake.files import write_text
from loramake.reportpage import Pictures, Tables
from loramake.screening import read_summary
from loramake.thumbnails import data_uris, make_thumbnails, thumbnail_files
from loramake.tokens import choose_length
from loramake.trainplan import make_plan

SMALL, LARGE = 112, 288  # px: longest side in the list of files, and in the previews
MOST_PREVIEWS = 600  # more would make the page too heavy for a phone; the most cropped ones are shown
_ENLARGED, _CROPPED = 1.5, 0.2  # from here on a picture counts as blurred, or as losing much


def report_dataset(
    manifest: Path,
    screen_tsv: Path,
    summary_tsv: Path,
    edits: Path | None,
    clean_dir: Path,
    tag_tsv: Path,
    caption_tsv: Path,
    dataset_dir: Path,
    out_html: Path,
    cache_dir: Path,
    *,
    character: str,
    tag: str,
    resolution: int,
    enable_bucket: bool,
    min_bucket_reso: int,
    max_bucket_reso: int,
    bucket_reso_steps: int,
    bucket_no_upscale: bool,
    train_batch_size: int,
    max_train_epochs: int,
    max_token_length: int | str,
    flat_backgrounds: float,
    one_sided: float,
    rare_costume: int,
    gradient_accumulation_steps: int = 1,
    num_processes: int = 1,
    max_train_steps: int = 0,
    autotags: Path | None = None,
    threads: int = 1,
) -> None:
    """Write the report.

    Args:
        manifest, screen_tsv, edits, clean_dir, dataset_dir: see `dossier.read_dossier`.
        summary_tsv: counts of `screening.screen_images`.
        tag_tsv, caption_tsv: tables of `captions.normalize_tags`.
        out_html: the page.
        cache_dir: thumbnails of earlier runs.
        character: heading of the page.
        tag: the character's booru tag.
        resolution … bucket_no_upscale: see `buckets.assign`.
        train_batch_size, max_train_epochs, max_token_length, gradient_accumulation_steps, num_processes,
            max_train_steps: the training's.
        flat_backgrounds, one_sided, rare_costume: see `advice.judge_variety`.
        autotags: folder of automatic tags; None or missing = no tagger.
        threads: thumbnails made at once.

    Raises:
        UserError: a stage's output is missing or does not fit the others.
    """
    options = square_options(
        resolution, enable_bucket, min_bucket_reso, max_bucket_reso, bucket_reso_steps, bucket_no_upscale
    )
    placing = {**options, "buckets": listed_buckets(options)}
    records = read_dossier(manifest, screen_tsv, edits, clean_dir, dataset_dir, autotags, tag, placing)
    trained = [record.training for record in records if record.training]
    captions = {row.file: row for row in read_caption_table(caption_tsv)}
    length = choose_length(max_token_length, [row.length.tokens for row in captions.values()])
    plan = make_plan(
        [(each.folder, each.repeats, each.placement.bucket) for each in trained],
        train_batch_size,
        max_train_epochs,
        batches_per_step=gradient_accumulation_steps * num_processes,
        max_steps=max_train_steps,
    )
    groups = variety.measure([each.classes for each in trained])
    limits = {"flat_backgrounds": flat_backgrounds, "one_sided": one_sided, "rare_costume": rare_costume}
    tag_rows = read_tag_table(tag_tsv)
    named = sum(row.pictures for row in tag_rows if row.left_out == BY_TRIGGER)
    remarks = [
        advice.judge_size(len(trained)),
        *advice.judge_tag(tag, named, {row.tag: row.pictures for row in tag_rows}),
        *advice.judge_variety(groups, **limits),
        *advice.judge_fit(
            sum(each.scale > _ENLARGED for each in trained), sum(each.lost > _CROPPED for each in trained), len(trained)
        ),
        *advice.judge_captions(
            sum(bool(row.length.cut[length]) for row in captions.values()),
            sum(row.tags == 1 for row in captions.values()),
            length,
        ),
        advice.judge_length(plan.total_passes),
    ]
    page = reportpage.render(
        character,
        records,
        remarks,
        groups,
        plan,
        length,
        Tables(read_summary(summary_tsv), tag_rows, captions),
        _make_pictures(records, cache_dir, threads),
    )
    write_text(out_html, page)
    warnings = sum(remark.level == advice.WARNING for remark in remarks)
    print(f"report on {len(records)} files, {warnings} warnings, {len(page.encode()) / 1e6:.1f} MB: {out_html}")


def _make_pictures(records: Sequence[Record], cache_dir: Path, threads: int) -> Pictures:
    """The small pictures of the page; those it would be too heavy with are left out."""
    trained = {record.name: record.training for record in records if record.training}
    most_cut = sorted(trained, key=lambda name: -trained[name].lost)[:MOST_PREVIEWS]
    changed = [record for record in records if record.changes and record.raw]
    after = {name: trained[name].path for name in [*most_cut, *(record.name for record in changed)]}
    before = {record.name: record.raw for record in changed}
    large = thumbnail_files(after, LARGE, cache_dir / "after", threads=threads)
    # the small ones of the list are made of the large ones where there are some: each picture is decoded once
    small = {record.name: record.raw for record in records if record.raw}
    small |= {name: training.path for name, training in trained.items()} | large
    return Pictures(
        make_thumbnails(small, SMALL, cache_dir / "small", threads=threads),
        # a transparent ground shows as such before cleaning
        make_thumbnails(before, LARGE, cache_dir / "before", threads=threads, see_through=True),
        data_uris(large),
    )
