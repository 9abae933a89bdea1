"""The table of Envoy's response flags has every flag of Envoy, and equals the table in the documents."""

from __future__ import annotations

from pathlib import Path

from envoy.config.accesslog.v3.accesslog_pb2 import ResponseFlagFilter
from envoy.data.accesslog.v3.accesslog_pb2 import ResponseFlags
from validate import validate_pb2

from extproc.response_flags import FLAGS

PAGE = Path(__file__).parents[2] / "docs/reference/extproc.md"


def test_the_table_has_every_flag_that_envoy_accepts_in_a_filter() -> None:
    """A new flag of a new Envoy version makes this test fail."""
    options = ResponseFlagFilter.DESCRIPTOR.fields_by_name["flags"].GetOptions()
    accepted = getattr(options.Extensions[validate_pb2.rules].repeated.items.string, "in")
    assert sorted(flag.short for flag in FLAGS) == sorted(accepted)


def test_the_table_has_every_field_of_the_grpc_access_log_once() -> None:
    fields = [flag.field for flag in FLAGS if flag.field]
    assert sorted(fields) == sorted(field.name for field in ResponseFlags.DESCRIPTOR.fields)


def test_a_flag_without_a_field_has_details_that_show_it() -> None:
    assert {flag.short for flag in FLAGS if not flag.field} == {flag.short for flag in FLAGS if flag.details}


def test_the_page_for_users_has_the_same_table() -> None:
    rows = [line.split("|")[1:4] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = {cells[0].strip().strip("`"): (cells[1].strip(), cells[2].strip().strip("`")) for cells in rows}
    for flag in FLAGS:
        assert listed[flag.short] == (flag.owner.value, flag.kind)
